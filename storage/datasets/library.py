"""The library: every segment, manifest and version, read and kept through the ports."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final, NamedTuple

from schemas.annotations import LayerName
from schemas.blobs import BlobRef
from schemas.datasets import Statistics, Version, VersionCounts
from schemas.diffs import VersionDiff
from schemas.errors import Conflict, Invalid, NotFound
from schemas.manifests import MANIFEST_MEDIA_TYPE, PARQUET_MEDIA_TYPE, SELECTION_MEDIA_TYPE, Manifest, Segment
from schemas.overlaps import VersionOverlap
from schemas.schema import AssetId, Digest, Id
from schemas.splits import Split
from schemas.statistics import ChosenClasses, VersionStatistics
from storage.clock import utc_now
from storage.contested import added
from storage.datasets.asset_ids import AssetIds
from storage.datasets.changes import ChangePage, ChangeQuery, asset_changes
from storage.datasets.compaction import compacted
from storage.datasets.content import Content, LayerContent
from storage.datasets.counting import counted
from storage.datasets.diff import diff
from storage.datasets.invariants import check
from storage.datasets.listing import ALL_ASSETS, AssetPage, AssetQuery, asset_page, asset_rows, found_asset
from storage.datasets.manifests import manifest_bytes, manifest_of, parse_manifest
from storage.datasets.memory import Memory
from storage.datasets.overlap import overlap_of
from storage.datasets.reading import Columns, SegmentReader
from storage.datasets.rows import AssetRow
from storage.datasets.segments import FORMAT, BuiltSegment
from storage.datasets.selections import Mask, Masks, pack, unpack
from storage.datasets.statistics import Classes, chosen_classes, few_classes, statistics_id, statistics_of
from storage.ports import Blobs, Clock, Database

MEMORY_BYTES: Final = 768 << 20
READERS: Final = 4
# As a blob that is put again.
REFRESHED_AFTER: Final = timedelta(days=1)
MANY: Final = 16
"""Selections fetched or written at once."""


class Kept(NamedTuple):
    """What a content is called once it is kept."""

    digest: Digest
    manifest: BlobRef
    counts: VersionCounts


class Library:
    """Reads and keeps segments and manifests; one for each process, shared by all that it does.

    Columns are read and decoded in a few threads at a time and kept in a memory bounded by bytes. Every
    method raises Unavailable if a store does not answer, and Invalid if a blob is damaged.
    """

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        *,
        memory_bytes: int = MEMORY_BYTES,
        readers: int = READERS,
        clock: Clock = utc_now,
    ) -> None:
        self._versions = database.documents(Version)
        self._segments = database.documents(Segment)
        self._statistics = database.documents(Statistics)
        self._blobs = blobs
        self._now = clock
        # Files may not push out the decoded columns that they were read for.
        files = Memory(memory_bytes // 4)
        self._memory = Memory(memory_bytes - memory_bytes // 4)
        self._columns = Columns(blobs, memory=self._memory, files=files, at_once=readers)
        self._many = asyncio.Semaphore(MANY)

    async def version(self, identity: Id) -> Version:
        """Return a version; raise NotFound."""
        return await self._versions.get(identity)

    async def content(self, digest: Digest) -> Content:
        """Return the content of a version by the version's digest; raise NotFound if nothing was kept under it."""
        known: Content | None = self._memory.get((digest, "content"))
        if known is not None:
            return known
        manifest = parse_manifest(await self._blobs.get(digest))
        content = await self._content_of(manifest)
        roles = [*content.images.values(), *(layer.masks for layer in content.layers.values())]
        size = sum(mask.nbytes for masks in roles for mask in masks.values())
        self._memory.keep((digest, "content"), content, size_bytes=size)
        return content

    async def segment(self, digest: Digest) -> SegmentReader:
        """Return the reader of a segment; raise NotFound, or Invalid if its format is of a newer release."""
        return (await self.segments([digest]))[digest]

    async def segments(self, digests: Iterable[Digest]) -> dict[Digest, SegmentReader]:
        """Return the readers of some segments; raise as ``segment`` does."""
        wanted = sorted(set(digests))
        found: dict[Digest, Segment] = {}
        for digest in wanted:
            known = self._memory.get((digest, "segment"))
            if known is not None:
                found[digest] = known
        missing = [digest for digest in wanted if digest not in found]
        if missing:
            found |= await self._documents(missing)
        return {digest: SegmentReader(found[digest], self._columns) for digest in wanted}

    async def asset_ids(self, *contents: Content) -> dict[Digest, AssetIds]:
        """Return the asset ids of every segment that some contents mean: what the algebra works on."""
        readers = await self.segments(segment for content in contents for segment in content.segments())
        ids = await asyncio.gather(*(reader.assets() for reader in readers.values()))
        return dict(zip(readers, ids, strict=True))

    async def keep_segment(self, built: BuiltSegment) -> Digest:
        """Keep a segment and return its digest; one that is kept already is fine."""
        await self._blobs.put(built.images, media_type=PARQUET_MEDIA_TYPE)
        await self._blobs.put(built.annotations, media_type=PARQUET_MEDIA_TYPE)
        document = built.document.model_copy(update={"kept_at": self._now()})
        while True:
            try:
                await self._segments.add(document)
            except Conflict:
                # One that is there may name files of another Parquet writer; its content is the same.
                with suppress(Conflict, NotFound):  # somebody else refreshes it, or it was collected just now
                    await self._refresh_segment(document)
                    break
            else:
                break
        return document.digest

    async def keep(self, content: Content) -> Kept:
        """Keep the manifest and selections of a content; what comes back is what a version needs to name it.

        Empty entries are dropped, the rest is sorted, and where too many segments are hardly used they are
        rewritten. Raise Invalid if an asset is twice in the images or in a layer, or in a layer alone.
        """
        content = await compacted(content.tidied(), self)
        ids = await self.asset_ids(content)
        await asyncio.to_thread(check, content, ids)
        manifest = manifest_of(content)
        await asyncio.gather(*(self._keep_mask(mask) for mask in _distinct(content)))
        data = manifest_bytes(manifest)
        ref = await self._blobs.put(data, media_type=MANIFEST_MEDIA_TYPE)
        return Kept(ref.digest, ref, await counted(content, self))

    async def statistics(self, digest: Digest) -> VersionStatistics:
        """Return the statistics of a version, by its digest; computed at first use, then kept."""
        identity = statistics_id(digest)
        known = await self._statistics.get_many([identity])
        if known:
            return VersionStatistics.model_validate_json(await self._blobs.get(known[0].body.digest))
        content = await self.content(digest)
        computed = await statistics_of(content, ids=await self.asset_ids(content), library=self)
        body = await self._blobs.put(computed.model_dump_json().encode(), media_type="application/json")
        # Somebody else may have computed the same meanwhile.
        await added(Statistics(id=identity, body=body, classes=few_classes(computed)), self._statistics)
        return computed

    async def classes(self, digests: Sequence[Digest]) -> dict[Digest, Classes]:
        """Return the classes in each layer of those versions, by digest, whose statistics were computed before."""
        known = await self._statistics.get_many([statistics_id(digest) for digest in digests])
        by_id = {one.id: one.classes for one in known if one.classes is not None}
        ids = {digest: statistics_id(digest) for digest in digests}
        return {digest: by_id[identity] for digest, identity in ids.items() if identity in by_id}

    async def overlap(self, digest: Digest, others: Sequence[Digest]) -> VersionOverlap:
        """Return how much of a version is in others, by their digests."""
        content, rest = await self.content(digest), [await self.content(other) for other in others]
        return await asyncio.to_thread(overlap_of, content, rest, ids=await self.asset_ids(content, *rest))

    async def chosen_classes(self, digest: Digest, classes: Sequence[str]) -> dict[LayerName, ChosenClasses]:
        """Return how many images of a version, by its digest, have any of some classes, layer by layer."""
        content = await self.content(digest)
        return await chosen_classes(content, classes, ids=await self.asset_ids(content), library=self)

    async def diff(self, before: Digest, after: Digest) -> VersionDiff:
        """Return what differs between two versions, by their digests."""
        old, new = await self.content(before), await self.content(after)
        return await diff(old, new, ids=await self.asset_ids(old, new), library=self)

    async def changes(
        self, before: Digest, after: Digest, *, query: ChangeQuery, limit: int = 50, cursor: str | None = None
    ) -> ChangePage:
        """Return the next assets that differ between two versions; raise Invalid for a cursor that is no asset."""
        old, new = await self.content(before), await self.content(after)
        ids = await self.asset_ids(old, new)
        return await asset_changes(old, new, query=query, limit=limit, cursor=cursor, ids=ids, library=self)

    def rows(
        self,
        content: Content,
        *,
        layers: Sequence[LayerName] | None = None,
        splits: Sequence[Split] | None = None,
    ) -> AsyncIterator[AssetRow]:
        """Yield the assets of a content in order of (segment, row), with their annotations in some layers (all)."""
        return asset_rows(content, layers=layers, splits=splits, library=self)

    async def page(
        self, content: Content, *, query: AssetQuery = ALL_ASSETS, limit: int = 50, cursor: str | None = None
    ) -> AssetPage:
        """Return the next assets that a query means; raise Invalid for a cursor that is none of this content."""
        return await asset_page(content, query=query, limit=limit, cursor=cursor, library=self)

    async def find(self, content: Content, asset: AssetId, *, layers: Sequence[LayerName] | None = None) -> AssetRow:
        """Return one asset of a content; raise NotFound."""
        return await found_asset(content, asset, layers=layers, library=self)

    async def _content_of(self, manifest: Manifest) -> Content:
        roles = [*manifest.images.values(), *(layer.entries for layer in manifest.layers.values())]
        entries = sorted({entry for role in roles for entry in role})
        readers = await self.segments(entry.segment for entry in entries)
        sizes = [readers[entry.segment].document.image_rows for entry in entries]
        masks = await asyncio.gather(
            *(self._mask(entry.selection, rows=rows) for entry, rows in zip(entries, sizes, strict=True))
        )
        known = dict(zip(entries, masks, strict=True))
        return Content(
            images={split: {entry.segment: known[entry] for entry in role} for split, role in manifest.images.items()},
            layers={
                name: LayerContent({entry.segment: known[entry] for entry in layer.entries}, layer.predictions)
                for name, layer in manifest.layers.items()
            },
        )

    async def _documents(self, digests: Sequence[Digest]) -> dict[Digest, Segment]:
        documents = await self._segments.get_many([digest.removeprefix("sha256:") for digest in digests])
        found = {document.digest: document for document in documents}
        for digest in digests:
            if digest not in found:
                await self._segments.get(digest.removeprefix("sha256:"))  # raises NotFound
            if found[digest].format > FORMAT:
                raise Invalid(
                    f"The segment {digest} has format {found[digest].format}; this release reads up to {FORMAT}.",
                    step="Use the release that made it, or a newer one.",
                )
            self._memory.keep((digest, "segment"), found[digest], size_bytes=1_000)
        return found

    async def _refresh_segment(self, document: Segment) -> None:
        known = await self._segments.get(document.id)
        now = self._now()
        if known.kept_at is None or now - known.kept_at > REFRESHED_AFTER:
            await self._segments.replace(known.successor(kept_at=now), was=known)

    async def _mask(self, selection: Digest, *, rows: int) -> Mask:
        async with self._many:
            return unpack(await self._blobs.get(selection), rows=rows)

    async def _keep_mask(self, mask: Mask) -> None:
        async with self._many:
            await self._blobs.put(pack(mask), media_type=SELECTION_MEDIA_TYPE)


def _distinct(content: Content) -> list[Mask]:
    roles: list[Masks] = [*content.images.values(), *(layer.masks for layer in content.layers.values())]
    return list({id(mask): mask for masks in roles for mask in masks.values()}.values())
