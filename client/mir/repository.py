"""A repository: a folder with ``.mir/``, where its data, its current branch and what was done in it are kept."""

import fcntl
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from client.mir.codes import Code, MirError
from client.mir.revs import HEAD, MASTER, Rev

FOLDER: Final = ".mir"
_HEAD_FILE: Final = "HEAD"
_SETTINGS: Final = "repository.json"
_HISTORY: Final = "history.jsonl"
_UNNAMEABLE: Final = re.compile(r"[^A-Za-z0-9._-]+")


class Entry(NamedTuple):
    """One command that was run: where its result went, and the task that did it, if one did."""

    branch: str
    tid: str
    type: str
    at: float
    task: str | None = None
    code: int = 0
    message: str = ""


class Repository(NamedTuple):
    """A folder in which `mir init` was run."""

    root: Path

    @property
    def data(self) -> Path:
        """The data folder of the service, and all else that is the repository's own."""
        return self.root / FOLDER

    @property
    def project(self) -> str:
        """The name of its project."""
        try:
            return str(json.loads((self.data / _SETTINGS).read_bytes())["project"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"{self.data / _SETTINGS} cannot be read"
            step = 'It is {"project": NAME}: restore it.'
            raise MirError(Code.INVALID_MIR_REPO, message, step=step) from error

    @property
    def head(self) -> Rev:
        """What HEAD means."""
        branch, _, tid = (self.data / _HEAD_FILE).read_text().strip().partition("@")
        return Rev(branch, tid or None)

    def move_head(self, to: Rev) -> None:
        """Make a branch, or a state of it, the current one."""
        _replace(self.data / _HEAD_FILE, f"{to}\n")

    def meant(self, rev: Rev) -> Rev:
        """Return a rev with HEAD replaced by what it means."""
        if rev.branch != HEAD:
            return rev
        head = self.head
        return Rev(head.branch, rev.tid or head.tid, rev.split)

    def note(self, entry: Entry) -> None:
        """Remember a command."""
        line = json.dumps({**entry._asdict(), "at": entry.at or time.time()}) + "\n"
        with (self.data / _HISTORY).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(line)

    def history(self) -> list[Entry]:
        """Return the commands that were run, the oldest first, without those on branches that were deleted since."""
        with suppress(FileNotFoundError):
            entries: list[Entry] = []
            for line in (self.data / _HISTORY).read_text().splitlines():
                entry = _entry(line)
                if entry is not None and entry.type == "delete":
                    entries = [one for one in entries if one.branch != entry.branch]
                elif entry is not None:
                    entries.append(entry)
            return entries
        return []


def open_repository(root: str | None) -> Repository:
    """Return the repository at a root, the current folder if none is given; raise MirError if there is none."""
    repository = Repository(root_of(root))
    if not (repository.data / _SETTINGS).is_file():
        message = f"not a mir repository: {repository.root} has no {FOLDER}/"
        raise MirError(
            Code.INVALID_MIR_REPO, message, step="Change to one, name one with --root, or make one: mir init"
        )
    return repository


def root_of(root: str | None) -> Path:
    """Return where a repository is or is to be; raise MirError for a relative path that was given."""
    if root is not None and not root.startswith("/"):
        message = f"invalid arg: --root {root}"
        raise MirError(Code.INVALID_ARGS, message, step=f"Give an absolute path: {Path(root).absolute()}")
    return Path(root) if root is not None else Path.cwd()


def make_repository(root: Path, *, project: str) -> Repository:
    """Make a repository in a folder that is in none; raise MirError."""
    for folder in (root, *root.absolute().parents):
        if (folder / FOLDER / _SETTINGS).exists():
            message = f"{folder} is a mir repository already"
            raise MirError(Code.INVALID_MIR_REPO, message, step="Choose a folder that is not in a repository.")
    repository = Repository(root)
    try:
        repository.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        _replace(repository.data / _SETTINGS, json.dumps({"project": project}) + "\n")
        (repository.data / ".gitignore").write_text("*\n")
    except OSError as error:
        raise MirError(Code.PERMISSION_ERROR, f"{root} cannot be written to: {error.strerror}") from error
    repository.move_head(Rev(MASTER))
    return repository


def project_name(root: Path) -> str:
    """Return the name of the project of a repository in a folder."""
    return _UNNAMEABLE.sub("-", root.absolute().name).strip("-._")[:100] or "repository"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock beside a file."""
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(text)
    draft.replace(path)


def _entry(line: str) -> Entry | None:
    try:
        fields: dict[str, Any] = json.loads(line)
        return Entry(**{name: fields[name] for name in Entry._fields if name in fields})
    except (ValueError, TypeError):
        return None  # a line that was not written to its end
