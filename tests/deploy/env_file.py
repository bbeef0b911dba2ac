"""A folder in which deploy/env.sh has been run."""

import os
import subprocess
from pathlib import Path

from tests.deploy.docker_client import ROOT


def env_file(folder: Path) -> Path:
    """Run the script for a folder, as often as this is called; return the file that it wrote there."""
    script = folder / "deploy" / "env.sh"
    script.parent.mkdir(exist_ok=True)
    script.write_bytes((ROOT / "deploy" / "env.sh").read_bytes())
    folders = {"YMIR_WORK": str(folder / "work"), "YMIR_IMPORT": str(folder / "import")}
    command = ["sh", str(script)]
    subprocess.run(command, env={**os.environ, **folders}, check=True, capture_output=True)
    return folder / ".env"


def settings_in(file: Path) -> dict[str, str]:
    """Return what such a file sets."""
    return {name: value for name, _, value in (line.partition("=") for line in file.read_text().splitlines())}
