"""Diff: what differs between two contents; annotations are read only where their rows are in other segments."""

import asyncio
from itertools import product
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.annotations import LayerName
from schemas.diffs import AssetChanges, LayerDiff, VersionDiff
from schemas.splits import Split
from storage.datasets.columns import ANNOTATION_COLUMNS, fixed_matrix
from storage.datasets.content import Content
from storage.datasets.reading import SegmentReader, Segments, annotation_positions
from storage.datasets.restriction import Ids
from storage.datasets.selections import Mask
from storage.datasets.space import Space

FIRST: Final = 100
SPLITS: Final = tuple(Split)
Rows = NDArray[np.int64]


async def diff(before: Content, after: Content, *, ids: Ids, library: Segments) -> VersionDiff:
    """Return what differs; ``ids`` are those of all segments of both.

    An asset whose annotations in a layer are the same, ids included, in whatever order and segment, has not changed
    there.
    """
    space = await asyncio.to_thread(Space.of, before, after, ids=ids)
    old, new = _splits(space, before), _splits(space, after)
    moved = (old >= 0) & (new >= 0) & (old != new)
    moves = {
        f"{a}->{b}": int(np.count_nonzero(moved & (old == code) & (new == other)))
        for (code, a), (other, b) in product(enumerate(SPLITS), repeat=2)
    }
    names = sorted({*before.layers, *after.layers})
    return VersionDiff(
        added=_changes(space, (old < 0) & (new >= 0)),
        removed=_changes(space, (old >= 0) & (new < 0)),
        moved=_changes(space, moved),
        moves={move: count for move, count in moves.items() if count},
        layers={name: await _layer_diff(space, name, before, after, library) for name in names},
    )


def _splits(space: Space, content: Content) -> NDArray[np.int8]:
    """Return the split of each asset; -1 for one that the content lacks."""
    result = np.full(space.assets + 1, -1, np.int8)
    for split, masks in content.images.items():
        result[space.assets_of(space.flat(masks))] = SPLITS.index(split)
    return result


async def _layer_diff(space: Space, name: LayerName, before: Content, after: Content, library: Segments) -> LayerDiff:
    old = space.row_of(space.flat(before.layer_masks(name)))
    new = space.row_of(space.flat(after.layer_masks(name)))
    elsewhere = np.flatnonzero((old >= 0) & (new >= 0) & (old != new))
    changed = np.zeros(space.assets + 1, np.bool_)
    changed[elsewhere] = await _changed(space, old[elsewhere], new[elsewhere], library)
    return LayerDiff(
        annotated=_changes(space, (old < 0) & (new >= 0)),
        unannotated=_changes(space, (old >= 0) & (new < 0)),
        changed=_changes(space, changed),
    )


def _changes(space: Space, assets: Mask) -> AssetChanges:
    # Assets are numbered in the order of their ids; any of their rows tells which they are.
    first = np.flatnonzero(assets)[:FIRST]
    rows = np.full(space.assets + 1, -1, np.int64)
    rows[space.asset] = np.arange(space.rows)
    return AssetChanges(count=int(np.count_nonzero(assets)), first=tuple(space.names(rows[first])))


async def _changed(space: Space, old: Rows, new: Rows, library: Segments) -> Mask:
    """Return for each pair of rows, in two segments, whether their annotations differ."""
    starts = np.array(list(space.starts.values()), np.int64)
    segments = list(space.starts)
    places = np.stack([np.searchsorted(starts, rows, side="right") - 1 for rows in (old, new)])
    readers = await library.segments([segments[place] for place in np.unique(places)])
    result = np.zeros(len(old), np.bool_)
    for a, b in np.unique(places, axis=1).T:
        here = np.flatnonzero((places[0] == a) & (places[1] == b))
        left = await _sorted_annotations(readers[segments[a]], old[here] - starts[a])
        right = await _sorted_annotations(readers[segments[b]], new[here] - starts[b])
        result[here] = await asyncio.to_thread(_rows_differ, *left, *right)
    return result


async def _sorted_annotations(reader: SegmentReader, rows: Rows) -> tuple[pa.Table, Rows]:
    """Return the annotations of some image rows, row by row in order of annotation id, and how many each has."""
    where, counts = annotation_positions(await reader.starts(), rows)
    identities = (await reader.annotations(["id"])).take(where).column("id").combine_chunks()
    words = np.ascontiguousarray(fixed_matrix(identities)).view(">u8")
    order = np.lexsort((words[:, 1], words[:, 0], np.repeat(np.arange(len(rows)), counts)))
    return (await reader.annotations()).take(where[order]), counts


def _rows_differ(left: pa.Table, left_counts: Rows, right: pa.Table, right_counts: Rows) -> Mask:
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
