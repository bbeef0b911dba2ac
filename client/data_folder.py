"""A data folder has one owner: who it is, and how the others reach it."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Final

from schemas.errors import Unavailable
from schemas.schema import Schema

LOCK: Final = "lock"
DOCUMENTS: Final = "ymir.db"
BLOBS: Final = "blobs"


class Owner(Schema):
    """Who owns a data folder, and the address at which it serves, if it does."""

    process: int
    url: str | None = None


@contextmanager
def owned(folder: Path) -> Iterator[Callable[[str], None]]:
    """Own a data folder, made if need be; yield what tells others the address at which its owner serves.

    Raise Unavailable, naming the owner, if another process owns it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = owner_of(folder)
            told = "another process" if owner is None else f"process {owner.process}{_serving(owner)}"
            step = "Use that service, or stop it first."
            raise Unavailable(f"The data folder {folder} belongs to {told}.", step=step) from None
        _write(file)
        try:
            yield partial(_write, file)
        finally:
            file.truncate(0)


def owner_of(folder: Path) -> Owner | None:
    """Return who owns a data folder as far as its lock file tells."""
    try:
        return Owner.model_validate_json((folder / LOCK).read_bytes())
    except (OSError, ValueError):
        return None


def _serving(owner: Owner) -> str:
    return "" if owner.url is None else f", at {owner.url}"


def _write(file: IO[str], url: str | None = None) -> None:
    file.truncate(0)
    file.write(Owner(process=os.getpid(), url=url).model_dump_json())
    file.flush()
