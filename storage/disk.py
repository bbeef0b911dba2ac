"""Waiting until files are on the disk, many of them as one."""

import ctypes
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

# Each fsync makes the disk flush its cache: 0.1 ms to 10 ms. One syncfs flushes once for all files of the file
# system, but waits for what others have written there too; so a few files are better waited for one by one.
MANY: Final = 8

_libc = ctypes.CDLL(None, use_errno=True)


def sync(files: Sequence[int]) -> None:
    """Return when what was written to open files of one file system is on its disk; raise OSError if it cannot be."""
    if len(files) >= MANY and hasattr(_libc, "syncfs"):
        if _libc.syncfs(files[0]):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return
    for file in files:
        os.fsync(file)


def sync_folders(folders: Collection[Path]) -> None:
    """Return when the names in folders of one file system are on its disk."""
    files = [os.open(folder, os.O_RDONLY) for folder in folders]
    try:
        sync(files)
    finally:
        for file in files:
            os.close(file)
