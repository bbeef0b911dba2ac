"""Marks: which assets have an annotation with some mark in an evaluation."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, Literal

from aiohttp import web

from schemas.errors import Fault, Invalid
from schemas.evaluations import Evaluation
from schemas.schema import Digest, Id
from storage.datasets.asset_ids import AssetIds
from storage.datasets.marks import marked_assets
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
            self._known[wanted] = await marked_assets(*wanted, blobs=self._blobs)
        self._known.move_to_end(wanted)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return self._known[wanted]


MARKS: Final = web.AppKey("marks", Marks)
