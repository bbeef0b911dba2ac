"""Reading segments: only the columns asked for, decoded in threads and kept in memory."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar
from weakref import WeakValueDictionary

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from schemas.blobs import BlobRef
from schemas.errors import Invalid
from schemas.manifests import Segment
from schemas.schema import Digest
from storage.datasets.asset_ids import AssetIds, asset_ids
from storage.datasets.columns import ANNOTATION_COLUMNS, DESCRIPTION_COLUMNS, fixed_matrix
from storage.datasets.memory import Memory
from storage.datasets.segments import BuiltSegment
from storage.ports import Blobs

T = TypeVar("T")
NO_CLASS: Final = -1
FEW: Final = 4_096
"""So many rows of a file are read on their own; for more all are decoded."""


class ClassCodes(NamedTuple):
    """The class of each annotation of a segment."""

    codes: NDArray[np.int32]
    """The place of its class among the names; -1 for an annotation that has none."""
    names: tuple[str, ...]


class Columns:
    """Columns of Parquet blobs: read, verified and decoded in a few threads at a time, then kept in memory."""

    def __init__(self, blobs: Blobs, *, memory: Memory, files: Memory, at_once: int) -> None:
        self._blobs = blobs
        self._memory = memory
        self._files = files
        self._slots = asyncio.Semaphore(at_once)
        self._locks: WeakValueDictionary[Digest, asyncio.Lock] = WeakValueDictionary()

    async def read(self, blob: BlobRef, names: Iterable[str]) -> pa.Table:
        """Return some columns of a blob, each in one chunk; raise Invalid if the blob is no such Parquet file."""
        wanted = list(names)
        found = {name: self._memory.get((blob.digest, name)) for name in wanted}
        if any(column is None for column in found.values()):
            async with self._locks.setdefault(blob.digest, asyncio.Lock()), self._slots:
                found |= await self._read_missing(blob, wanted)
        return pa.table([found[name] for name in wanted], names=wanted)

    async def read_rows(self, blob: BlobRef, names: Sequence[str], rows: NDArray[np.int64]) -> pa.Table:
        """Return some rows (one at least) of some columns, in order; the groups they lie in are decoded, and kept."""
        if len(rows) > FEW or all(self._memory.get((blob.digest, name)) is not None for name in names):
            return (await self.read(blob, names)).take(rows)
        async with self._locks.setdefault(blob.digest, asyncio.Lock()), self._slots:
            ends, groups = await self._groups(blob, names, rows)
        of_row = np.searchsorted(ends, rows, side="right")
        starts, offset, before = np.concatenate([[0], ends]), np.zeros(len(rows), np.int64), 0
        for group, table in groups.items():
            offset[of_row == group] = starts[group] - before
            before += table.num_rows
        table = pa.concat_tables(groups.values()).unify_dictionaries()
        return table.take(rows - offset).combine_chunks()

    async def _groups(
        self, blob: BlobRef, names: Sequence[str], rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], dict[int, pa.Table]]:
        """Return where the groups of rows of a blob end, and those groups that some rows lie in."""
        file: Any = None
        ends: NDArray[np.int64] | None = self._memory.get((blob.digest, "ends"))
        if ends is None:
            file = await asyncio.to_thread(_opened, await self._file(blob), blob.digest)
            ends = np.cumsum([file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)])
            self._memory.keep((blob.digest, "ends"), ends, size_bytes=ends.nbytes)
        groups = np.unique(np.searchsorted(ends, rows, side="right")).tolist()
        found = {group: self._memory.get((blob.digest, "group", group, *names)) for group in groups}
        for group in [group for group, table in found.items() if table is None]:
            if file is None:
                file = await asyncio.to_thread(_opened, await self._file(blob), blob.digest)
            found[group] = await asyncio.to_thread(file.read_row_group, group, columns=list(names))
            size = found[group].nbytes
            self._memory.keep((blob.digest, "group", group, *names), found[group], size_bytes=size)
        return ends, found

    async def _file(self, blob: BlobRef) -> bytes:
        # The file itself is kept a while: the next columns of it need not be fetched and verified again.
        data: bytes = self._files.get(blob.digest) or await self._blobs.get(blob.digest)
        self._files.keep(blob.digest, data, size_bytes=len(data))
        return data

    async def derived(self, blob: BlobRef, name: str, make: Callable[[], T], *, size_bytes: int) -> T:
        """Return what ``make``, called in a thread, makes of a blob's columns; or what it made before."""
        known: T | None = self._memory.get((blob.digest, "derived", name))
        if known is None:
            known = await asyncio.to_thread(make)
            self._memory.keep((blob.digest, "derived", name), known, size_bytes=size_bytes)
        return known

    async def _read_missing(self, blob: BlobRef, names: Sequence[str]) -> dict[str, pa.Array]:
        found = {name: self._memory.get((blob.digest, name)) for name in names}
        missing = [name for name, column in found.items() if column is None]
        if missing:
            data = await self._file(blob)
            for name, column in (await asyncio.to_thread(_decoded, data, missing, blob.digest)).items():
                self._memory.keep((blob.digest, name), column, size_bytes=column.nbytes)
                found[name] = column
        return found


class SegmentReader:
    """One segment; each call reads no more columns than it needs."""

    def __init__(self, document: Segment, columns: Columns) -> None:
        self.document = document
        self._columns = columns

    async def assets(self) -> AssetIds:
        """Return the ids of all image rows."""
        table = await self._columns.read(self.document.images, ["asset"])
        return await self._columns.derived(
            self.document.images,
            "assets",
            lambda: asset_ids(fixed_matrix(table.column("asset").chunk(0)) if table.num_rows else _no_ids()),
            size_bytes=8 * table.num_rows,
        )

    async def starts(self) -> NDArray[np.int64]:
        """Return where the annotations of each image row start, and after the last row where they end."""
        table = await self._columns.read(self.document.images, ["annotations"])
        counts = table.column("annotations").to_numpy()
        return await self._columns.derived(
            self.document.images,
            "starts",
            lambda: np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)]),
            size_bytes=8 * table.num_rows,
        )

    async def images(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return some columns of the images; by default ``asset`` and, if it is described, its description."""
        names = columns or ["asset", *(DESCRIPTION_COLUMNS.names if self.document.described else ())]
        return await self._columns.read(self.document.images, names)

    async def annotations(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return some columns of the annotations; by default all."""
        return await self._columns.read(self.document.annotations, columns or ANNOTATION_COLUMNS.names)

    async def annotations_at(self, rows: NDArray[np.int64]) -> pa.Table:
        """Return some rows of the annotations with all columns, in the order in which they are asked for."""
        return await self._columns.read_rows(self.document.annotations, ANNOTATION_COLUMNS.names, rows)

    async def image_of(self) -> NDArray[np.int32]:
        """Return the image row of each annotation, which never decreases."""
        table = await self.annotations(["image"])
        rows: NDArray[np.int32] = table.column("image").to_numpy()
        return rows

    async def classes(self) -> ClassCodes:
        """Return the class of each annotation."""
        table = await self.annotations(["class"])
        return await self._columns.derived(
            self.document.annotations, "classes", lambda: _class_codes(table), size_bytes=4 * table.num_rows
        )


class Segments(Protocol):
    """Where the readers of segments come from."""

    async def segments(self, digests: Iterable[Digest]) -> dict[Digest, SegmentReader]:
        """Return the readers of some segments."""

    async def keep_segment(self, built: BuiltSegment) -> Digest:
        """Keep a segment and return its digest."""


def annotation_positions(
    starts: NDArray[np.int64], rows: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the annotations of some image rows are, row after row, and how many each row has."""
    counts = starts[rows + 1] - starts[rows]
    before = np.cumsum(counts) - counts
    return np.repeat(starts[rows] - before, counts) + np.arange(counts.sum()), counts


def _opened(data: bytes, digest: Digest) -> Any:  # noqa: ANN401 - pyarrow has no types
    try:
        return pq.ParquetFile(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise _no_segment(digest, error) from error


def _no_segment(digest: Digest, error: Exception) -> Invalid:
    return Invalid(
        f"The blob {digest} is not the Parquet file of a segment: {error}.",
        step="Restore the blob store from a back-up.",
    )


def _decoded(data: bytes, names: Sequence[str], digest: Digest) -> dict[str, pa.Array]:
    try:
        table = pq.read_table(pa.BufferReader(data), columns=list(names)).unify_dictionaries().combine_chunks()
        return {name: table.column(name) for name in names}
    except (pa.ArrowException, KeyError, OSError) as error:
        raise _no_segment(digest, error) from error


def _class_codes(table: pa.Table) -> ClassCodes:
    if not table.num_rows:
        return ClassCodes(np.zeros(0, np.int32), ())
    column = table.column("class").chunk(0)
    codes = column.indices.fill_null(NO_CLASS).to_numpy(zero_copy_only=False)
    return ClassCodes(codes, tuple(column.dictionary.to_pylist()))


def _no_ids() -> NDArray[np.uint8]:
    return np.zeros((0, 32), np.uint8)
