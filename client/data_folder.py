"""A data folder has one owner: who it is, and how the others reach it."""

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Final

from schemas.errors import Invalid, Unavailable
from schemas.schema import Schema

LOCK: Final = "lock"
DOCUMENTS: Final = "ymir.db"
BLOBS: Final = "blobs"
# Whoever asks for the owner holds the lock for a moment, beside others who ask.
TRIES: Final = 5
PAUSE_SECONDS: Final = 0.005
COMMAND_LETTERS: Final = 200


class Owner(Schema):
    """Who owns a data folder, and the address at which it serves, if it does."""

    process: int
    command: str = ""
    """What it was called with."""
    url: str | None = None

    def __str__(self) -> str:
        command = f" (`{self.command}`)" if self.command else ""
        serving = "" if self.url is None else f", at {self.url}"
        return f"process {self.process}{command}{serving}"


@contextmanager
def owned(folder: Path) -> Iterator[Callable[[str], None]]:
    """Own a data folder, made if need be; yield what tells others the address at which its owner serves.

    Raise Unavailable, naming the owner, if another process owns it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / LOCK).open("a+") as file:
        if not any(_locked(file, pause_seconds=PAUSE_SECONDS) for _ in range(TRIES)):
            told = _written(folder) or "another process"
            step = "Use that service, or stop it first."
            raise Unavailable(f"The data folder {folder} belongs to {told}.", step=step)
        _write(file)
        try:
            yield partial(_write, file)
        finally:
            file.truncate(0)


def with_data(folder: Path) -> Path:
    """Return the whole path of a data folder; raise Invalid if there is nothing in it."""
    if not (folder / DOCUMENTS).is_file():
        message = f"There is no data of the service in the folder {folder}."
        raise Invalid(message, step="Name the data folder, or set YMIR_URL and YMIR_KEY to use a service.")
    return folder.absolute()


def owner_of(folder: Path) -> Owner | None:
    """Return who owns a data folder now; None if nobody does, or it has not yet said who it is."""
    try:
        with (folder / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _written(folder)
    except OSError:
        return None
    return None  # what is written there is of an owner that was killed


def _written(folder: Path) -> Owner | None:
    try:
        return Owner.model_validate_json((folder / LOCK).read_bytes())
    except (OSError, ValueError):
        return None


def _locked(file: IO[str], *, pause_seconds: float) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(pause_seconds)
        return False
    return True


def _write(file: IO[str], url: str | None = None) -> None:
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:COMMAND_LETTERS]
    file.truncate(0)
    file.write(Owner(process=os.getpid(), command=command, url=url).model_dump_json())
    file.flush()
