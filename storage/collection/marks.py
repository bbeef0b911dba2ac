"""Marking: every blob that something names, found by reading all documents, then what manifests are made of."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

import numpy as np
from pydantic import BaseModel

from schemas.blobs import BlobRef
from schemas.datasets import Statistics, Version
from schemas.errors import NotFound
from schemas.kinds import KINDS
from schemas.manifests import Manifest, Segment
from schemas.outcomes import PredictedPictures, VersionDraft
from schemas.schema import Digest, Document, Id
from schemas.tasks import Task
from storage.collection.digests import Digests
from storage.collection.unfinished import ids_in
from storage.datasets.manifests import parse_manifest
from storage.datasets.memory import Memory
from storage.datasets.reading import Columns, SegmentReader
from storage.datasets.selections import unpack
from storage.datasets.statistics import statistics_id
from storage.paging import every
from storage.ports import Blobs, Database

Watch = Callable[[str, int], None]
"""Is told what is being done, and how much of it was done so far."""

# What these name is named as long as a manifest stands behind them.
DERIVED: Final = frozenset({Segment, Statistics})


class Marks:
    """The names of blobs, gathered; its methods are called in their order."""

    def __init__(self, database: Database, blobs: Blobs, *, names: Digests, watch: Watch) -> None:
        self._database = database
        self._blobs = blobs
        self._names = names
        self._watch = watch
        self._columns = Columns(blobs, memory=Memory(0), files=Memory(0), at_once=1)
        # The digests of all versions that are there or about to be; the segments they name, with selections of images.
        self._manifests: set[Digest] = set()
        self._segments: dict[Digest, set[Digest]] = {}

    async def documents(self, *, without: frozenset[Id], gone: Mapping[Id, Version]) -> None:
        """Mark what documents name, and what the manifests among that name.

        A version that has gone counts all the same for a task that was asked for before it went.
        """
        count = 0
        for kind in (kind for kind in KINDS if kind not in DERIVED and names_blobs(kind)):
            async for document in every(self._database.documents(kind)):
                self._watch("documents read", count := count + 1)
                if document.id not in without:
                    self._mark(document)
                if isinstance(document, Task) and not document.is_final:
                    self._mark([gone[one] for one in ids_in(document) if one in gone])
        for number, digest in enumerate(sorted(self._manifests), start=1):
            self._watch("manifests read", number)
            self._mark_manifest(parse_manifest(await self._blobs.get(digest)))

    async def segments(self, *, horizon: datetime) -> list[Segment]:
        """Mark the files and the selected images of segments; return those that nothing names, kept before an instant.

        Raise NotFound if a segment is missing.
        """
        missing, unnamed = set(self._segments), list[Segment]()
        async for segment in every(self._database.documents(Segment)):
            missing.discard(segment.digest)
            self._watch("segments read", len(self._segments) - len(missing))
            is_young = segment.kept_at is not None and segment.kept_at >= horizon
            if segment.digest in self._segments or is_young:
                await self.segment(segment)
            else:
                unnamed.append(segment)
        for digest in missing:
            raise NotFound("segment", digest)
        return unnamed

    async def segment(self, segment: Segment) -> None:
        """Mark the files of a segment, and those of its images that a manifest selects."""
        self._mark(segment)
        selected = np.zeros(segment.image_rows, dtype=np.bool_)
        for selection in sorted(self._segments.get(segment.digest, ())):
            selected |= unpack(await self._blobs.get(selection), rows=segment.image_rows)
        if selected.any():
            assets = await SegmentReader(segment, self._columns).assets()
            await asyncio.to_thread(self._names.add_all, assets.ids[selected])

    async def statistics(self) -> list[Statistics]:
        """Mark what is remembered of versions; return what is remembered of none that is there."""
        there = {statistics_id(digest) for digest in self._manifests}
        unnamed = []
        async for statistics in every(self._database.documents(Statistics)):
            if statistics.id in there:
                self._mark(statistics)
            else:
                unnamed.append(statistics)
        return unnamed

    def _mark(self, value: object) -> None:
        if isinstance(value, BlobRef):
            self._names.add(value.digest)
        if isinstance(value, Version | VersionDraft | PredictedPictures):
            self._manifests.add(value.manifest.digest)
        for part in parts(value):
            self._mark(part)

    def _mark_manifest(self, manifest: Manifest) -> None:
        for entries in manifest.images.values():
            for entry in entries:
                self._names.add(entry.selection)
                self._segments.setdefault(entry.segment, set()).add(entry.selection)
        for layer in manifest.layers.values():
            for entry in layer.entries:
                self._names.add(entry.selection)
                self._segments.setdefault(entry.segment, set())


def names_blobs(kind: type[Document]) -> bool:
    """Return whether documents of a kind can name blobs."""
    return BlobRef.__name__ in kind.model_json_schema().get("$defs", {})


def parts(value: object) -> Iterable[object]:
    """Return what a value is made of: the fields of a schema, the values of a mapping, the items of a sequence."""
    match value:
        case BaseModel():
            return [getattr(value, name) for name in type(value).model_fields]
        case Mapping():
            return value.values()
        case list() | tuple() | set() | frozenset():
            return value
    return ()
