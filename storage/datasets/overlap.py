"""Overlap: the images that a content has in common with others, by asset ids alone."""

from collections.abc import Sequence
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.diffs import AssetChanges
from schemas.overlaps import VersionOverlap
from schemas.splits import Split
from storage.datasets.content import Content
from storage.datasets.near_duplicates import USED
from storage.datasets.restriction import Ids
from storage.datasets.selections import Mask
from storage.datasets.space import Space

FIRST: Final = 100


def overlap_of(content: Content, others: Sequence[Content], *, ids: Ids) -> VersionOverlap:
    """Return how much of a content is in others. CPU-heavy: call it in a thread."""
    space = Space.of(content, *others, ids=ids)
    own = space.assets_of(space.flat(content.image_masks()))
    theirs = np.zeros_like(own)
    for other in others:
        theirs |= space.assets_of(space.flat(other.image_masks()))
    joint = np.flatnonzero(own & theirs)
    rows = space.row_of(space.flat(content.image_masks()))
    across = {
        f"{before}->{after}": int(np.count_nonzero(_used(space, others, before) & _used(space, [content], after)))
        for before, after in product(USED, repeat=2)
        if before is not after
    }
    return VersionOverlap(
        images=int(np.count_nonzero(own)),
        others=int(np.count_nonzero(theirs)),
        joint=AssetChanges(count=len(joint), first=_names(space, rows[joint[:FIRST]])),
        residual=int(np.count_nonzero(own & ~theirs)),
        across_splits={move: count for move, count in across.items() if count},
    )


def _used(space: Space, contents: Sequence[Content], split: Split) -> Mask:
    """Return the assets that any of some contents puts to a use, as an asset mask."""
    result = np.zeros(space.assets + 1, np.bool_)
    for content in contents:
        result |= space.assets_of(space.flat(content.images.get(split, {})))
    return result


def _names(space: Space, rows: NDArray[np.int64]) -> tuple[str, ...]:
    return tuple(space.names(rows))
