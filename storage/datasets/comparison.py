"""Comparing the annotations of image rows, column by column."""

import asyncio
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from storage.datasets.columns import ANNOTATION_COLUMNS, fixed_matrix
from storage.datasets.reading import SegmentReader, Segments, annotation_positions
from storage.datasets.selections import Mask
from storage.datasets.space import Space

BATCH: Final = 16_384
"""So many image rows are compared at a time, so that any number of them needs the same memory."""

Rows = NDArray[np.int64]


class Annotations(NamedTuple):
    """All annotations of a segment, and where those of each image row start."""

    table: pa.Table
    starts: Rows

    def counts(self, rows: Rows) -> Rows:
        """Return how many annotations some image rows have."""
        return self.starts[rows + 1] - self.starts[rows]

    def column(self, name: str, where: Rows) -> pa.ChunkedArray:
        """Return some values of a column; those that lie behind one another are not copied."""
        column = self.table.column(name)
        is_run = len(where) and where[-1] - where[0] == len(where) - 1 and (np.diff(where) == 1).all()
        return column.slice(int(where[0]), len(where)) if is_run else column.take(where)

    def words(self, where: Rows) -> NDArray[np.uint64]:
        """Return the ids of some annotations as two numbers each, which sort as the ids do."""
        ids = fixed_matrix(self.column("id", where).combine_chunks())
        return np.ascontiguousarray(ids).view(">u8").reshape(-1, 2)


async def rows_differ(space: Space, old: Rows, new: Rows, *, library: Segments) -> Mask:
    """Return for each pair of rows whether their annotations differ, ids and authors included, in whatever order.

    Rows are numbered as the space does; those of a pair are of one asset.
    """
    starts = np.array(list(space.starts.values()), np.int64)
    segments = list(space.starts)
    places = np.stack([np.searchsorted(starts, rows, side="right") - 1 for rows in (old, new)])
    readers = await library.segments([segments[place] for place in np.unique(places)])
    result = np.zeros(len(old), np.bool_)
    for a, b in np.unique(places, axis=1).T:
        here = np.flatnonzero((places[0] == a) & (places[1] == b))
        left = await _whole(readers[segments[a]]), old[here] - starts[a]
        right = await _whole(readers[segments[b]]), new[here] - starts[b]
        result[here] = await asyncio.to_thread(_differ_somewhere, *left, *right)
    return result


async def _whole(reader: SegmentReader) -> Annotations:
    return Annotations(await reader.annotations(), await reader.starts())


def _differ_somewhere(left: Annotations, old: Rows, right: Annotations, new: Rows) -> Mask:
    parts = [
        _differ(left, old[first : first + BATCH], right, new[first : first + BATCH])
        for first in range(0, len(old), BATCH)
    ]
    return np.concatenate(parts)


def _differ(left: Annotations, old: Rows, right: Annotations, new: Rows) -> Mask:
    differ = np.asarray(left.counts(old) != right.counts(new))
    comparable = np.flatnonzero(~differ)
    here, counts = annotation_positions(left.starts, old[comparable])
    there, _ = annotation_positions(right.starts, new[comparable])
    row = np.repeat(comparable, counts)
    here, there = _side_by_side(left, here, right, there, row)
    for name in ANNOTATION_COLUMNS.names[1:]:
        differ[row[~_equal(left.column(name, here), right.column(name, there))]] = True
    return differ


def _side_by_side(left: Annotations, here: Rows, right: Annotations, there: Rows, row: Rows) -> tuple[Rows, Rows]:
    """Return both sides' annotations row by row in order of their ids, or as they are where that is one order."""
    a, b = left.words(here), right.words(there)
    if (a == b).all():
        return here, there
    return here[np.lexsort((a[:, 1], a[:, 0], row))], there[np.lexsort((b[:, 1], b[:, 0], row))]


def _equal(left: pa.ChunkedArray, right: pa.ChunkedArray) -> Mask:
    kind = left.type
    if left.equals(right):
        return np.ones(len(left), np.bool_)
    if pa.types.is_list(kind):
        pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
        return np.fromiter((a == b for a, b in pairs), np.bool_, len(left))
    if pa.types.is_dictionary(kind):
        left, right = left.cast(kind.value_type), right.cast(kind.value_type)
    both_null = pc.and_(pc.is_null(left), pc.is_null(right))
    equal: Mask = pc.or_(pc.fill_null(pc.equal(left, right), fill_value=False), both_null).to_numpy()
    return equal
