"""Documents in SQLite: one table for each kind, its index fields as expressions on the stored JSON."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import orjson

from schemas.errors import Conflict, Invalid, NotFound
from schemas.pages import Page
from schemas.schema import Document
from storage.cursors import Cursor, read_cursor
from storage.ports import EVERYTHING, Documents, Query
from storage.selects import after, every, index_for, order_by, where
from storage.sqlite_connections import Connections
from storage.tables import Table
from storage.upgrades import revive

D = TypeVar("D", bound=Document)


@asynccontextmanager
async def open_database(path: Path) -> AsyncIterator["SqliteDatabase"]:
    """Open the documents of a SQLite file, making it where it is missing.

    Raise Unavailable if it cannot be opened, Invalid if it is damaged or no database.
    """
    connections = await asyncio.to_thread(Connections, path)
    try:
        yield SqliteDatabase(connections)
    finally:
        await connections.close()


class SqliteDatabase:
    """The homes of all kinds of documents, in one file."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._homes: dict[type[Document], Any] = {}

    def documents(self, kind: type[D]) -> Documents[D]:
        """Return the home of a kind."""
        if kind not in self._homes:
            self._homes[kind] = SqliteDocuments(kind, self._connections)
        home: Documents[D] = self._homes[kind]
        return home


class SqliteDocuments(Generic[D]):
    """The documents of one kind, in a table that is made when it is first used."""

    def __init__(self, kind: type[D], connections: Connections) -> None:
        self._kind = kind
        self._table = Table(kind)
        self._connections = connections
        self._is_made = False
        self._indexes: set[tuple[str, ...]] = {()}

    async def add(self, document: D) -> None:
        """Keep a new document; raise Conflict."""
        await self._make()

        def operation(connection: sqlite3.Connection) -> None:
            if conflict := self._table.insert(connection, self._table.row(document)):
                raise conflict

        await self._connections.write(operation)

    async def add_many(self, documents: Sequence[D], *, until_conflict: bool = False) -> list[Conflict | None]:
        """Keep new documents in order; with ``until_conflict`` the answers end with the first conflict."""
        await self._make()

        def operation(connection: sqlite3.Connection) -> list[Conflict | None]:
            answers: list[Conflict | None] = []
            for row in [self._table.row(document) for document in documents]:
                answers.append(self._table.insert(connection, row))
                if until_conflict and answers[-1]:
                    break
            return answers

        return await self._connections.write(operation)

    async def get(self, identity: str) -> D:
        """Return the document of an id; raise NotFound."""
        await self._make()

        def operation(connection: sqlite3.Connection) -> D:
            if row := connection.execute(self._table.get_sql, (identity,)).fetchone():
                return self._read(row)
            raise NotFound(self._kind.KIND, identity)

        return await self._connections.read(operation)

    async def get_many(self, identities: Sequence[str]) -> list[D]:
        """Return those documents that exist."""
        await self._make()

        def operation(connection: sqlite3.Connection) -> list[D]:
            rows = connection.execute(self._table.get_many_sql, (orjson.dumps(list(identities)).decode(),))
            return [self._read(row) for row in rows]

        return await self._connections.read(operation)

    async def replace(self, document: D, *, was: D) -> None:
        """Keep the successor of what is kept now; raise Conflict."""
        (conflict,) = await self.replace_many([(document, was)])
        if conflict:
            raise conflict

    async def replace_many(self, successors: Sequence[tuple[D, D]]) -> list[Conflict | None]:
        """Keep several (successor, predecessor), each on its own, and answer for each."""
        await self._make()

        def operation(connection: sqlite3.Connection) -> list[Conflict | None]:
            rows = [(self._table.row(document), was.generation) for document, was in successors]
            return [self._table.update(connection, row, generation=generation) for row, generation in rows]

        for document, was in successors:
            if document.id != was.id or document.generation <= was.generation:
                raise ValueError(f"{document.id} {document.generation} is no successor of {was.id} {was.generation}")
        return await self._connections.write(operation)

    async def count(self, query: Query = EVERYTHING) -> int:
        """Return how many documents are meant."""
        condition = where(self._kind, query)
        await self._make()

        def operation(connection: sqlite3.Connection) -> int:
            (count,) = connection.execute(self._table.count_sql(condition), condition.values).fetchone()
            return int(count)

        return await self._connections.read(operation)

    async def remove(self, identity: str, *, was: D | None = None) -> None:
        """Forget a document; with ``was`` only that state of it, else raise Conflict."""
        await self._make()

        def operation(connection: sqlite3.Connection) -> None:
            if was is None:
                connection.execute(self._table.remove_sql, (identity,))
            elif not connection.execute(self._table.remove_state_sql, (identity, was.generation)).rowcount:
                raise Conflict(self._kind.KIND, identity, key="generation")

        await self._connections.write(operation)

    async def list(
        self, query: Query = EVERYTHING, *, order: str = "id", limit: int = 100, cursor: str | None = None
    ) -> Page[D]:
        """Return a page sorted by an indexed field, after ``cursor``."""
        if limit < 1:
            raise Invalid(f"A page of {limit} is none.", step="ask for one or more")
        by = order_by(self._kind, order)
        condition = where(self._kind, query, by)
        ranges = tuple(after(read_cursor(cursor, order=order) if cursor is not None else None, by))
        await self._make(index_for(self._kind, query, by))

        def operation(connection: sqlite3.Connection) -> Page[D]:
            rows: list[Any] = []
            for span in ranges:
                selected = every([condition, span])
                sql = self._table.select_sql(selected, by)
                rows += connection.execute(sql, (*selected.values, limit + 1 - len(rows)))
            items = tuple(self._read(row) for row in rows[:limit])
            return Page(items=items, next=_next(order, rows[limit - 1]) if len(rows) > limit else None)

        return await self._connections.read(operation)

    def _read(self, row: tuple[Any, ...]) -> D:
        return revive(self._kind, number=row[1], body=row[2])

    async def _make(self, index: tuple[str, ...] = ()) -> None:
        if not self._is_made:
            await self._connections.write(self._table.make)
            self._is_made = True
        if index not in self._indexes:
            await self._connections.write(lambda connection: self._table.make_index(connection, index))
            self._indexes.add(index)


def _next(order: str, last: tuple[Any, ...]) -> str:
    return Cursor(order, value=last[3], id=last[0]).text()
