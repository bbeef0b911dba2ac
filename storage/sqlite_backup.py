"""A copy of a SQLite file that others write to meanwhile."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from storage.disk import sync_folders
from storage.sqlite_connections import driver_errors


def back_up(source: Path, to: Path) -> None:
    """Copy all documents as they are at one moment; the copy appears complete, durable, or not at all. Blocks.

    Nobody has to wait for it. Raise Unavailable if a file cannot be read or written, Invalid if one is damaged.
    """
    beside = to.with_name(f"{to.name}.incomplete")
    beside.unlink(missing_ok=True)
    with driver_errors(source):
        # All in one step: a reader of the write-ahead log sees one state of it, and stops no writer.
        with closing(sqlite3.connect(source)) as reader, closing(sqlite3.connect(beside)) as writer:
            reader.backup(writer)
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(to)
        sync_folders([to.parent])
