"""Diff: what differs between two contents; annotations are read only where their rows are in other segments."""

import asyncio
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.annotations import LayerName
from schemas.diffs import AssetChanges, LayerDiff, VersionDiff
from schemas.splits import Split
from storage.datasets.comparison import rows_differ
from storage.datasets.content import Content
from storage.datasets.reading import Segments
from storage.datasets.restriction import Ids
from storage.datasets.selections import Mask
from storage.datasets.space import Space

FIRST: Final = 100
SPLITS: Final = tuple(Split)


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
    changed[elsewhere] = await rows_differ(space, old[elsewhere], new[elsewhere], library=library)
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
