"""Docker's client and Compose, on the engine of the tests."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.servers.base_image import SETTING

ROOT: Final = Path(__file__).parent.parent.parent
COMMAND_SECONDS: Final = 600


class Docker:
    """The command ``docker``; what it prints is returned, and what it says when it fails is the error."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        """Talk to the engine of ``settings``, which has their base image."""
        self.base = settings[SETTING]
        # The builder that every engine has: the other is a plug-in of the client's.
        self.environment = {**os.environ, **settings, "DOCKER_BUILDKIT": "0"}

    def __call__(self, *arguments: str) -> str:
        return said(["docker", *arguments], folder=ROOT, environment=self.environment)

    def inspected(self, thing: str, what: str) -> str:
        """Return a field of a container or an image, in the words of Go's templates: ``.Config.User``."""
        return self("inspect", "--format", f"{{{{json {what}}}}}", thing).strip().strip('"')


def said(command: list[str], *, folder: Path, environment: Mapping[str, str]) -> str:
    """Return what a command prints; raise AssertionError, with the end of that, if it fails."""
    done = subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=COMMAND_SECONDS
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{(done.stdout + done.stderr)[-3000:]}"
    return done.stdout


def compose_commands() -> list[list[str]]:
    """Return how each Compose of this machine is called: the program of version 1, the plug-in of version 2."""
    found = [[path]] if (path := shutil.which("docker-compose")) else []
    if shutil.which("docker"):
        plug_in = ["docker", "compose"]
        asked = subprocess.run([*plug_in, "version"], check=False, capture_output=True)
        found += [plug_in] if asked.returncode == 0 else []
    return found
