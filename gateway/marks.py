"""Marks: which assets have an annotation with some mark in an evaluation."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from io import BytesIO
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from aiohttp import web

from schemas.errors import Fault, Invalid
from schemas.evaluations import Evaluation
from schemas.schema import Digest, Id
from storage.datasets.asset_ids import AssetIds, asset_ids_of
from storage.ports import Blobs, Database

Mark = Literal["tp", "fp", "fn", "mtp"]

REMEMBERED: Final = 4


class Marks:
    """Reads the marks of evaluations; the assets of the last few questions are remembered, for the next page."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._evaluations = database.documents(Evaluation)
        self._blobs = blobs
        self._known: OrderedDict[tuple[Digest, frozenset[Mark]], AssetIds] = OrderedDict()

    async def assets(self, evaluation: Id, marks: Iterable[Mark], *, project: Id) -> AssetIds:
        """Return the assets with any of some marks (all when none is named); raise Invalid for no such evaluation."""
        found = await self._evaluations.get_many([evaluation])
        if not found or found[0].project != project:
            fault = Fault("There is no such evaluation in this project.", "?evaluation")
            raise Invalid("The evaluation does not exist.", step="Name one of the project's.", faults=[fault])
        wanted = (found[0].marks.digest, frozenset(marks))
        if wanted not in self._known:
            self._known[wanted] = await asyncio.to_thread(_assets, await self._blobs.get(wanted[0]), wanted[1])
        self._known.move_to_end(wanted)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return self._known[wanted]


def _assets(parquet: bytes, marks: frozenset[Mark]) -> AssetIds:
    table = pq.read_table(BytesIO(parquet), columns=["asset", "mark"])
    if marks:
        table = table.filter(pc.is_in(table["mark"], value_set=pc.cast(pa.array(sorted(marks)), table["mark"].type)))
    return asset_ids_of(pc.unique(table["asset"]).to_pylist())


MARKS: Final = web.AppKey("marks", Marks)
