"""A Debian with Python as the base of the images that tests build: made here, since no image need be pulled."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SETTING: Final = "YMIR_TEST_BASE_IMAGE"
PACKAGE: Final = "debootstrap"
NAME: Final = "ymir-test-base:bookworm"
SUITE: Final = "bookworm"
# ``venv`` for our own image, the others for executors.
CONTENTS: Final = ("python3-venv", "python3-numpy", "python3-pil", "python3-yaml")
LEFT_OUT: Final = ("./var/cache/apt/*", "./var/lib/apt/lists/*", "./usr/share/doc/*", "./usr/share/locale/*")
MAKE_SECONDS: Final = 600


def is_to_be_had() -> bool:
    """Return whether there is a base image: one that the setting names, one kept from before, or one to be made."""
    return SETTING in os.environ or _kept().exists() or (os.geteuid() == 0 and shutil.which(PACKAGE) is not None)


def loaded(engine: Mapping[str, str], folder: Path) -> str:
    """Return the name of the base image on an engine, which an environment names, having brought it there."""
    if SETTING in engine:
        return engine[SETTING]
    there = ["docker", "image", "inspect", NAME]
    if subprocess.run(there, env=engine, check=False, capture_output=True).returncode:
        if not _kept().exists():
            _make(folder)
        _run(["docker", "import", str(_kept()), NAME], environment=engine)
    return NAME


def remove_tree(folder: Path) -> None:
    """Remove a folder, but nothing that is mounted in it."""
    _run(["rm", "--recursive", "--force", "--one-file-system", str(folder)])


def _kept() -> Path:
    """Return where the tarball of these contents is kept from one run to the next."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ymir"
    contents = hashlib.sha256("\n".join((SUITE, *CONTENTS, *LEFT_OUT)).encode()).hexdigest()
    return cache / f"base-{contents[:16]}.tar"


def _make(folder: Path) -> None:
    """Make the tarball, which appears complete or not at all: another run may be at it too."""
    root = Path(tempfile.mkdtemp(prefix="base-", dir=folder))
    kept = _kept()
    kept.parent.mkdir(parents=True, exist_ok=True)
    unfinished = kept.with_name(f"{kept.name}.{os.getpid()}")
    try:
        _run(["debootstrap", "--variant=minbase", f"--include={','.join(CONTENTS)}", SUITE, str(root)])
        root.chmod(0o755)  # of the image's `/`, which others than root look into
        left_out = [f"--exclude={pattern}" for pattern in LEFT_OUT]
        _run(["tar", "--create", "--numeric-owner", f"--file={unfinished}", f"--directory={root}", *left_out, "."])
        unfinished.replace(kept)
    finally:
        unfinished.unlink(missing_ok=True)
        remove_tree(root)


def _run(command: list[str], *, environment: Mapping[str, str] | None = None) -> None:
    """Run a command; raise RuntimeError with the end of what it said if it fails."""
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=MAKE_SECONDS)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {(done.stdout + done.stderr)[-2000:]}")
