"""Comparing the annotations of image rows, column by column."""

import asyncio

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from storage.datasets.columns import ANNOTATION_COLUMNS, fixed_matrix
from storage.datasets.reading import SegmentReader, Segments, annotation_positions
from storage.datasets.selections import Mask
from storage.datasets.space import Space

Rows = NDArray[np.int64]


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
        left = await _sorted_annotations(readers[segments[a]], old[here] - starts[a])
        right = await _sorted_annotations(readers[segments[b]], new[here] - starts[b])
        result[here] = await asyncio.to_thread(_differ, *left, *right)
    return result


async def _sorted_annotations(reader: SegmentReader, rows: Rows) -> tuple[pa.Table, Rows]:
    """Return the annotations of some image rows, row by row in order of annotation id, and how many each has."""
    where, counts = annotation_positions(await reader.starts(), rows)
    identities = (await reader.annotations(["id"])).take(where).column("id").combine_chunks()
    words = np.ascontiguousarray(fixed_matrix(identities)).view(">u8")
    order = np.lexsort((words[:, 1], words[:, 0], np.repeat(np.arange(len(rows)), counts)))
    return (await reader.annotations()).take(where[order]), counts


def _differ(left: pa.Table, left_counts: Rows, right: pa.Table, right_counts: Rows) -> Mask:
    differ = np.asarray(left_counts != right_counts)
    comparable = np.flatnonzero(~differ)
    left = left.take(annotation_positions(_ends(left_counts), comparable)[0])
    right = right.take(annotation_positions(_ends(right_counts), comparable)[0])
    row = np.repeat(comparable, left_counts[comparable])
    for name in ANNOTATION_COLUMNS.names[1:]:
        differ[row[~_equal(left.column(name), right.column(name))]] = True
    return differ


def _ends(counts: Rows) -> Rows:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def _equal(left: pa.ChunkedArray, right: pa.ChunkedArray) -> Mask:
    kind = left.type
    if pa.types.is_list(kind):
        pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
        return np.fromiter((a == b for a, b in pairs), np.bool_, len(left))
    if pa.types.is_dictionary(kind):
        left, right = left.cast(kind.value_type), right.cast(kind.value_type)
    both_null = pc.and_(pc.is_null(left), pc.is_null(right))
    equal: Mask = pc.or_(pc.fill_null(pc.equal(left, right), fill_value=False), both_null).to_numpy()
    return equal
