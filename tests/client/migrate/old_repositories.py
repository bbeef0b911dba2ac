"""Old repositories to read: one that the real command made, and others made of messages."""

import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from client.migrate.messages import message_class

GOLDEN = Path(__file__).parent / "golden/ymir-2.3.0.tar.xz"
FILES = ("metadatas", "annotations", "keywords", "tasks")


def golden(folder: Path) -> Path:
    """Unpack the repository that the command of release 2.3.0 made; its images are beside it, in ``assets``."""
    with tarfile.open(GOLDEN) as archive:
        archive.extractall(folder, filter="data")
    return folder / "repo"


def a_repository(root: Path, revisions: Mapping[str, Mapping[str, Any]], *, labels: str = "0,,cat\n1,,dog\n") -> Path:
    """Make a repository whose revisions have the messages given, as dictionaries by file."""
    root.mkdir()
    git(root, "init", "--quiet")
    (root / "labels.csv").write_text(f"# type_id, preserved, main type name, alias...\n{labels}")
    for tag, messages in revisions.items():
        for file in FILES:
            message = message_class(f"Mir{file.capitalize()}")(**messages.get(file, {}))
            (root / f"{file}.mir").write_bytes(message.SerializeToString())
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "--allow-empty", "--message", tag)
        git(root, "tag", tag)
    return root


def git(root: Path, *arguments: str) -> str:
    """Run git as nobody in particular, and return what it says."""
    who = ["-c", "user.name=ymir", "-c", "user.email=ymir@localhost"]
    command = ["/usr/bin/env", "git", *who, "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
