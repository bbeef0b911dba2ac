"""The label file is the truth: the project gets its classes, and what imports added is written back to it."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from client.api import Client
from client.mir.codes import Code, MirError
from client.mir.labels import HEADER, Label, LabelFile, read_labels, with_labels
from client.mir.repository import Repository
from schemas.projects import ClassBatch, ClassEntry, ClassList

SEED_FILE: Final = "labels.csv"
LATER_FILE: Final = "labels.yaml"
_KNOWN: Final = "labels.json"


def label_file_of(repository: Repository, given: str | None) -> Path:
    """Return the label file of a repository: the one given, else .mir/labels.yaml where that is, else labels.csv.

    Raise MirError if there are classes in both of them.
    """
    if given is not None:
        return Path(given).expanduser()
    seed, later = repository.root / SEED_FILE, repository.data / LATER_FILE
    if not later.exists():
        return seed
    if read_labels(seed).labels:
        step = "Keep one of them, or name the one that is meant with --user-label-file."
        raise MirError(Code.INVALID_ARGS, f"there are classes in {seed} and in {later}", step=step)
    return later


def make_label_file(path: Path) -> None:
    """Make an empty label file where there is none; raise MirError if that cannot be."""
    if os.path.lexists(path):
        return
    try:
        path.write_text("labels: []\nymir_version: 2.0.0\n" if path.suffix in {".yaml", ".yml"} else HEADER)
    except OSError as error:
        raise MirError(Code.PERMISSION_ERROR, f"{path} cannot be written to: {error.strerror}") from error


class Labels:
    """The classes of one repository: in its file, and in its project."""

    def __init__(self, repository: Repository, path: Path, client: Client, *, project: str) -> None:
        self._repository = repository
        self._path = path
        self._client = client
        self._classes = f"/v1/projects/{project}/classes"

    async def bring(self, *, tell: Callable[[str], None]) -> None:
        """Give the project the classes of the file; raise MirError if some of the project's are not in it any more."""
        with locked_file(self._path):
            file = read_labels(self._path)
            for line in file.ignored:
                tell(line)
            known = await self._client.get(ClassList, self._classes)
            self._check_gone(file, known)
            entries = _changes(file.labels, known)
            if entries:
                known = await self._client.post(ClassList, self._classes, ClassBatch(classes=entries))
            in_project = [entry.name for entry in known.classes]
            if [name for name in in_project if name in names_of(file)] != list(names_of(file)):
                tell(f"{file.path}: the project has its classes in another order; its ids count in exports")
            self._append(file, known)

    async def write_back(self) -> None:
        """Append to the file what the project has beyond it."""
        known = await self._client.get(ClassList, self._classes)
        with locked_file(self._path):
            self._append(read_labels(self._path), known)

    def _check_gone(self, file: LabelFile, known: ClassList) -> None:
        """Refuse a file that lacks classes which it had; those that it never had are appended to it later."""
        names = names_of(file)
        seen = set(self._seen())
        gone = [entry.name for entry in known.classes if entry.name not in names and entry.name in seen]
        if gone:
            raise MirError(
                Code.INVALID_ARGS,
                f"{file.path} has no longer the classes: {', '.join(gone)}",
                step="Classes are neither renamed nor removed, since annotations have them: put the lines back. A new "
                f"name can be an alias ({_line_of(gone[0], known)},another name), or a new class at the end.",
            )

    def _append(self, file: LabelFile, known: ClassList) -> None:
        names = names_of(file)
        added = [Label(entry.name, entry.aliases) for entry in known.classes if entry.name not in names]
        if added:
            write_file(file.path, with_labels(file, added))
        # Its own file of seen names: what is missing from the label file later was removed from it by somebody.
        seen = self._repository.data / _KNOWN
        draft = seen.with_suffix(".new")
        draft.write_text(json.dumps([entry.name for entry in known.classes]))
        draft.replace(seen)

    def _seen(self) -> list[str]:
        try:
            return list(json.loads((self._repository.data / _KNOWN).read_bytes()))
        except (OSError, ValueError):
            return []


@contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """Hold the lock of a label file: it lies beside the file itself, where a link leads to it."""
    target = path.resolve()
    try:
        lock = target.with_name(f"{target.name}.lock").open("a")
    except OSError as error:
        if not os.access(target, os.R_OK):
            raise MirError(Code.INVALID_FILE, f"{path} cannot be read: {error.strerror}") from error
        yield  # a shared file that only others may write to
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_file(path: Path, text: str) -> None:
    """Replace a label file at once, in its own folder, where a link leads to it; raise MirError."""
    target = path.resolve()
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        if target.exists():
            draft.chmod(target.stat().st_mode & 0o777)
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        message = f"{target} cannot be written to: {error.strerror}"
        step = "New classes are to be appended to it: make it and its folder writable, and run any command again."
        raise MirError(Code.PERMISSION_ERROR, message, step=step) from error


def names_of(file: LabelFile) -> dict[str, None]:
    """Return the main names of a file in their order."""
    return dict.fromkeys(label.name for label in file.labels)


def _changes(labels: Sequence[Label], known: ClassList) -> tuple[ClassEntry, ...]:
    now = {entry.name: entry for entry in known.classes}
    entries = [ClassEntry(name=label.name, aliases=label.aliases) for label in labels]
    return tuple(entry for entry in entries if now.get(entry.name) != entry)


def _line_of(name: str, known: ClassList) -> str:
    number = [entry.name for entry in known.classes].index(name)
    return f"{number},,{name}"
