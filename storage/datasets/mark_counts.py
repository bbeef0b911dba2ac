"""Counts of marks: how many there are of each on each asset."""

import asyncio
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from schemas.schema import Digest
from storage.ports import Blobs

COUNTED = ("tp", "fp", "fn")


class MarkCounts(NamedTuple):
    """True positives, false positives and false negatives of assets, in that order, of shape (assets, 3)."""

    assets: Sequence[bytes]
    counts: NDArray[np.int64]


async def mark_counts(marks: Digest, *, blobs: Blobs) -> MarkCounts:
    """Return the counts of each asset that has any, in an evaluation's blob of marks."""
    return await asyncio.to_thread(_counts, await blobs.get(marks))


def _counts(parquet: bytes) -> MarkCounts:
    table = pq.read_table(BytesIO(parquet), columns=["asset", "mark"])
    assets = table["asset"].combine_chunks().dictionary_encode()
    marks = table["mark"].cast(pa.string()).combine_chunks().dictionary_encode()
    names, count = marks.dictionary.to_pylist(), len(assets.dictionary)
    place, mark = assets.indices.to_numpy(), marks.indices.to_numpy()
    columns = [
        np.bincount(place[mark == names.index(name)], minlength=count) if name in names else np.zeros(count, np.int64)
        for name in COUNTED
    ]
    return MarkCounts(assets.dictionary.to_pylist(), np.stack(columns, axis=1).astype(np.int64))
