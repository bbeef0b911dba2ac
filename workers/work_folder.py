"""The work folder of a machine, shared by its workers: each has a part of it to itself."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from shutil import rmtree
from typing import IO, Final

from schemas.errors import Unavailable

LOCK: Final = "lock"


@contextmanager
def own_part(work: Path) -> Iterator[Path]:
    """Own the first part, ``work/1``, ``work/2``, …, that no living worker has.

    What an earlier owner cached is kept; its attempts are removed. Raise Unavailable if the folder cannot be used.
    """
    try:
        part, lock = _first_free(work)
        emptied(part / "scratch")
    except OSError as error:
        step = "Let the worker write into the folder that YMIR_WORK names."
        raise Unavailable(f"The work folder {work} cannot be used: {error.strerror}.", step=step) from error
    with lock:
        yield part


def emptied(folder: Path) -> None:
    """Leave a folder without what a process that was killed left in it."""
    rmtree(folder, ignore_errors=True)
    # What a container that is about to be reaped still writes there may keep it from going.
    folder.mkdir(parents=True, exist_ok=True)


def _first_free(work: Path) -> tuple[Path, IO[bytes]]:
    for number in count(1):
        part = work / str(number)
        part.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (part / LOCK).open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return part, lock
    raise AssertionError
