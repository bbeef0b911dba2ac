"""The indexes of a collection, made when they are first needed."""

import asyncio
from collections.abc import Sequence

from pymongo import IndexModel

from schemas.schema import Document
from storage.mongo_client import Collection
from storage.mongo_errors import driver_errors
from storage.mongo_forms import index, indexes


class Indexes:
    """What is known to be made of a collection's indexes; those that are there already are no error."""

    def __init__(self, kind: type[Document], collection: Collection) -> None:
        self._kind = kind
        self._collection = collection
        self._lock = asyncio.Lock()
        self._made: set[tuple[str, ...]] = set()

    async def make(self, fields: tuple[str, ...] = ()) -> None:
        """Make the indexes of the kind, and that of some ``fields``, unless this was done before."""
        if {(), fields} <= self._made:
            return
        async with self._lock:
            if () not in self._made:
                await self._create(indexes(self._kind))
                self._made.add(())
            if fields not in self._made:
                await self._create([index(fields)])
                self._made.add(fields)

    async def _create(self, wanted: Sequence[IndexModel]) -> None:
        if wanted:
            with driver_errors(self._kind.KIND):
                await self._collection.create_indexes(wanted)
