"""Connections to one SQLite file: a writer whose waiting writes share a transaction, and readers beside it."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from schemas.errors import Invalid, Unavailable, YmirError
from storage.groups import Groups

R = TypeVar("R")

READERS: Final = 2
BUSY_SECONDS: Final = 10.0
RESTORE: Final = "restore the file from a back-up, beside its -wal file if that has one"

# Primary result codes (https://www.sqlite.org/rescode.html) of what may be over by the next call.
PASSING: Final = {
    sqlite3.SQLITE_BUSY: "is locked by another process",
    sqlite3.SQLITE_LOCKED: "is locked",
    sqlite3.SQLITE_FULL: "finds its disk full",
    sqlite3.SQLITE_IOERR: "cannot be read or written",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_READONLY: "cannot be written to",
    sqlite3.SQLITE_PERM: "cannot be opened",
    sqlite3.SQLITE_NOMEM: "has no memory left",
    sqlite3.SQLITE_INTERRUPT: "was interrupted",
}
DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Connections:
    """One connection that writes and some that read, each call one hop to a thread."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it where it is missing; blocks."""
        self._path = path
        with driver_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = connect(path)
            readers = [connect(path) for _ in range(READERS)]
        self._writes: Groups[Callable[[sqlite3.Connection], Any], Any] = Groups(self._together, name="database")
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="database-reader")
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        for reader in readers:
            self._idle.put(reader)

    async def write(self, operation: Callable[[sqlite3.Connection], R]) -> R:
        """Return what an operation returned when it was durable.

        It shares a transaction with others, so it has no statement of its own to undo: each of its
        statements holds or fails alone.
        """
        answer: R = await self._writes.call(operation)
        return answer

    async def read(self, operation: Callable[[sqlite3.Connection], R]) -> R:
        """Return what an operation read; it sees one state of the database."""
        try:
            work = asyncio.get_running_loop().run_in_executor(self._threads, self._alone, operation)
        except RuntimeError as error:
            raise Unavailable("The database is closed.") from error
        return await work

    async def close(self) -> None:
        """Finish what was called for, then close all connections."""
        await self._writes.close()
        await asyncio.to_thread(self._threads.shutdown)
        while not self._idle.empty():
            self._idle.get().close()
        await asyncio.to_thread(self._writer.close)

    def _alone(self, operation: Callable[[sqlite3.Connection], R]) -> R:
        connection = self._idle.get()
        try:
            with driver_errors(self._path), _transaction(connection, "BEGIN"):
                return operation(connection)
        finally:
            self._idle.put(connection)

    def _together(self, operations: Sequence[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
        with driver_errors(self._path), _transaction(self._writer, "BEGIN IMMEDIATE"):
            return [self._attempt(operation) for operation in operations]

    def _attempt(self, operation: Callable[[sqlite3.Connection], R]) -> R | Exception:
        try:
            with driver_errors(self._path):
                return operation(self._writer)
        except Unavailable:
            # SQLite may have undone the transaction, and with it what the others wrote: nobody's write is kept.
            raise
        except Exception as error:  # noqa: BLE001 - it is raised where the operation was called for
            return error


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection to a file whose every commit is on the disk when it returns."""
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA temp_store = MEMORY")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def driver_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into errors of this project; whatever else escapes is a bug."""
    try:
        yield
    except YmirError:
        raise
    except sqlite3.DataError as error:
        raise Invalid(f"The database cannot hold that: {error}.", step="store less in one document") from error
    except (OverflowError, UnicodeError) as error:
        raise Invalid(f"The database cannot look for that: {error}.") from error
    except OSError as error:
        raise Unavailable(f"The database {path.name} cannot be opened: {error.strerror}.") from error
    except sqlite3.DatabaseError as error:
        # The lowest byte is the primary code; ProgrammingError has none.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in DAMAGED:
            raise Invalid(f"The database {path.name} is damaged: {error}.", step=RESTORE) from error
        if code in PASSING:
            raise Unavailable(f"The database {path.name} {PASSING[code]}: {error}.") from error
        raise


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
