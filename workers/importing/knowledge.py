"""Gathers what described segments tell of images, for the processes that inspect them."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.errors import Invalid, NotFound
from schemas.manifests import Segment
from schemas.schema import Id
from storage.datasets.columns import DESCRIPTION_COLUMNS, fixed_matrix
from storage.datasets.memory import Memory
from storage.datasets.reading import Columns, SegmentReader
from storage.paging import every
from storage.ports import Blobs, Database
from workers.importing.known import RECORD, Known, read_known, write_known

FILE_RECORDS: Final = 1 << 20
"""A file of so many records grows no more."""
WORTH: Final = 100
"""To learn of an image takes less than a hundredth of the time that it takes to decode one."""
COLUMNS: Final = ["asset", *(name for name in DESCRIPTION_COLUMNS.names if name != "file_name")]


class Knowledge:
    """Files of what is known of all images of the stores: facts about bytes, whatever became of their blobs.

    They live as long as the process, in a temporary folder. Each segment is read once; small files are merged into
    larger ones, so that there are few. Memory is bounded by the size of two files.
    """

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="ymir-known-")
        self._numbers = count()
        self._files: list[tuple[Path, int]] = []
        self._read: set[Id] = set()
        self._lock = asyncio.Lock()

    async def about(self, images: int, *, database: Database, blobs: Blobs) -> Known:
        """Return what is known, after reading what is new of it, unless that is not worth it for so few images."""
        async with self._lock:
            new = [
                one async for one in every(database.documents(Segment)) if one.described and one.id not in self._read
            ]
            if sum(one.image_rows for one in new) <= WORTH * images:
                for segment in new:
                    await self._learn(segment, blobs)
            return Known(tuple(path for path, _ in self._files))

    def close(self) -> None:
        """Remove the files."""
        self._folder.cleanup()

    async def _learn(self, segment: Segment, blobs: Blobs) -> None:
        self._read.add(segment.id)
        nothing = Memory(0)
        # What was collected meanwhile, or is damaged, only has to be decoded again.
        with suppress(NotFound, Invalid):
            reader = SegmentReader(segment, Columns(blobs, memory=nothing, files=nothing, at_once=1))
            table = await reader.images(COLUMNS)
            await asyncio.to_thread(self._add, table)

    def _add(self, table: pa.Table) -> None:
        records = _records(table)
        if not len(records):
            return  # an empty file is none that can be looked into
        replaced = list(self._merged_with(len(records)))
        records = np.concatenate([*(read_known(path) for path, _ in replaced), records])
        path = Path(self._folder.name) / str(next(self._numbers))
        write_known(path, records)
        self._files.append((path, len(records)))
        for old, _ in replaced:
            old.unlink()

    def _merged_with(self, rows: int) -> Iterator[tuple[Path, int]]:
        """Yield, and forget, the newest files that are not much larger than what comes."""
        while self._files and self._files[-1][1] <= 2 * rows and self._files[-1][1] + rows <= FILE_RECORDS:
            rows += self._files[-1][1]
            yield self._files.pop()


def _records(table: pa.Table) -> NDArray[np.void]:
    table = table.filter(table.column("perceptual_hash").is_valid())
    records = np.zeros(table.num_rows, RECORD)
    for name in COLUMNS:
        records[name] = _values(table.column(name).combine_chunks())
    return records


def _values(column: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    if pa.types.is_fixed_size_binary(column.type):
        return fixed_matrix(column).view("V32").ravel()
    if pa.types.is_dictionary(column.type):
        names = np.array([name.encode() for name in column.dictionary.to_pylist()] or [b""])
        return names[column.indices.to_numpy(zero_copy_only=False)]
    return column.to_numpy()
