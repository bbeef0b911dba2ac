"""Documents in MongoDB: one collection for each kind, kept by a majority of a replica set."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from schemas.errors import Conflict, Invalid, NotFound
from schemas.pages import Page
from schemas.schema import Document
from storage.cursors import Cursor, read_cursor
from storage.mongo_client import Collection, Stored, close, connect, database_of
from storage.mongo_errors import driver_errors
from storage.mongo_filters import after, every, sorting, where
from storage.mongo_forms import stored_name
from storage.mongo_indexes import Indexes
from storage.mongo_together import Alike, Together
from storage.mongo_writes import Writes
from storage.ports import EVERYTHING, Documents, Query
from storage.selects import index_for, order_by
from storage.upgrades import revive

D = TypeVar("D", bound=Document)

# A call asks for so many ids.
IDS: Final = 10_000
# So few are asked for together with what others ask for.
FEW: Final = 10
FORM: Final = {"number": 1, "body": 1}


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator["MongoDatabase"]:
    """Open the documents of a MongoDB, of the database that the URL names, else ``ymir``.

    It is connected to when it is first asked for something. Raise Invalid if the URL cannot be one.
    """
    client = connect(url)
    try:
        yield MongoDatabase(database_of(client))
    finally:
        await close(client)


class MongoDatabase:
    """The homes of all kinds of documents, in one database."""

    def __init__(self, database: Any) -> None:  # noqa: ANN401 - a database of Motor or of its successor
        self._database = database
        self._homes: dict[type[Document], Any] = {}

    def documents(self, kind: type[D]) -> Documents[D]:
        """Return the home of a kind."""
        if kind not in self._homes:
            self._homes[kind] = MongoDocuments(kind, self._database[kind.KIND])
        home: Documents[D] = self._homes[kind]
        return home


class MongoDocuments(Generic[D]):
    """The documents of one kind; indexes and unique keys are made when it is first used."""

    def __init__(self, kind: type[D], collection: Collection) -> None:
        self._kind = kind
        self._collection = collection
        self._indexes = Indexes(kind, collection)
        self._writes = Writes(kind, collection)
        self._finding: Together[str, Stored | None] = Together(self._find)
        self._listing: Alike[Page[D]] = Alike()

    async def add(self, document: D) -> None:
        """Keep a new document; raise Conflict."""
        await self._indexes.make()
        await self._writes.add(document)

    async def add_many(self, documents: Sequence[D], *, until_conflict: bool = False) -> list[Conflict | None]:
        """Keep new documents in order; with ``until_conflict`` the answers end with the first conflict."""
        if not documents:
            return []
        await self._indexes.make()
        return await self._writes.add_many(documents, until_conflict=until_conflict)

    async def get(self, identity: str) -> D:
        """Return the document of an id; raise NotFound."""
        found = await self._finding.call(identity)
        if found is None:
            raise NotFound(self._kind.KIND, identity)
        return self._read(found)

    async def get_many(self, identities: Sequence[str]) -> list[D]:
        """Return those documents that exist."""
        remaining, found = iter(dict.fromkeys(identities)), list[D]()
        while some := list(islice(remaining, IDS)):
            few = len(some) <= FEW
            there = await asyncio.gather(*map(self._finding.call, some)) if few else await self._find(some)
            found += [self._read(one) for one in there if one is not None]
        return found

    async def replace(self, document: D, *, was: D) -> None:
        """Keep the successor of what is kept now; raise Conflict."""
        if document.id != was.id or document.generation <= was.generation:
            raise ValueError(f"{document.id} {document.generation} is no successor of {was.id} {was.generation}")
        await self._indexes.make()
        await self._writes.replace(document, was=was)

    async def replace_many(self, successors: Sequence[tuple[D, D]]) -> list[Conflict | None]:
        """Keep several (successor, predecessor), each on its own, and answer for each."""
        return list(await asyncio.gather(*(self._replaced(document, was) for document, was in successors)))

    async def count(self, query: Query = EVERYTHING) -> int:
        """Return how many documents are meant."""
        condition = where(self._kind, query)
        # Documents are many, those with two properties few: an index of both counts without reading any.
        await self._indexes.make(tuple(query.equal) if len(query.equal) > 1 else ())
        with driver_errors(self._kind.KIND):
            return await self._collection.count_documents(condition)

    async def remove(self, identity: str, *, was: D | None = None) -> None:
        """Forget a document; with ``was`` only that state of it, else raise Conflict."""
        meant = {"_id": identity} if was is None else {"_id": identity, "generation": was.generation}
        with driver_errors(self._kind.KIND, identity):
            result = await self._collection.delete_one(meant)
        if was is not None and not result.deleted_count:
            raise Conflict(self._kind.KIND, identity, key="generation")

    async def list(
        self, query: Query = EVERYTHING, *, order: str = "id", limit: int = 100, cursor: str | None = None
    ) -> Page[D]:
        """Return a page sorted by an indexed field, after ``cursor``."""
        if limit < 1:
            raise Invalid(f"A page of {limit} is none.", step="ask for one or more")
        asked = repr((query, order, limit, cursor))
        return await self._listing.call(asked, lambda: self._list(query, order=order, limit=limit, cursor=cursor))

    async def _list(self, query: Query, *, order: str, limit: int, cursor: str | None) -> Page[D]:
        by = order_by(self._kind, order)
        condition = where(self._kind, query)
        ranges = after(read_cursor(cursor, order=order) if cursor is not None else None, by)
        await self._indexes.make(index_for(self._kind, query, by))
        form, found = {**FORM, stored_name(by.field): 1}, list[Stored]()
        with driver_errors(self._kind.KIND):
            for span in ranges:
                if missing := limit + 1 - len(found):
                    selected = self._collection.find(every([condition, span]), form, sort=sorting(by), limit=missing)
                    found += [one async for one in selected]
        items = tuple(self._read(one) for one in found[:limit])
        return Page(items=items, next=self._next(order, found[limit - 1]) if len(found) > limit else None)

    async def _find(self, identities: Sequence[str]) -> Sequence[Stored | None]:
        with driver_errors(self._kind.KIND):
            selected = self._collection.find({"_id": {"$in": list(identities)}}, FORM)
            found = {one["_id"]: one async for one in selected}
        return [found.get(identity) for identity in identities]

    def _read(self, found: Stored) -> D:
        return revive(self._kind, number=found["number"], body=found["body"])

    def _next(self, order: str, last: Stored) -> str:
        value = last.get(stored_name(order.removeprefix("-")))
        return Cursor(order, value=value, id=last["_id"]).text()

    async def _replaced(self, document: D, was: D) -> Conflict | None:
        try:
            await self.replace(document, was=was)
        except Conflict as error:
            return error
        return None
