"""Exclude: a content without the assets of others; and the assets that contents have in common."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from schemas.schema import AssetId
from storage.datasets.content import Content
from storage.datasets.restriction import Ids
from storage.datasets.selections import Mask
from storage.datasets.space import Space


def excluded(content: Content, others: Sequence[Content], *, ids: Ids) -> Content:
    """Return the content without the images, and their annotations, that any of the others has as an image.

    ``ids`` are those of all segments of all contents. CPU-heavy: call it in a thread.
    """
    space = Space.of(content, *others, ids=ids)
    unwanted = np.zeros(space.assets + 1, np.bool_)
    for other in others:
        unwanted |= _assets(space, other)
    rows = space.rows_of(~unwanted)
    images = {split: space.masks(space.flat(masks) & rows) for split, masks in content.images.items()}
    layers = {
        name: replace(layer, masks=space.masks(space.flat(layer.masks) & rows))
        for name, layer in content.layers.items()
    }
    return Content(images, layers).tidied()


def overlap(left: Content, right: Content, *, ids: Ids) -> list[AssetId]:
    """Return the assets that two contents have in common, sorted."""
    space = Space.of(left, right, ids=ids)
    both = _assets(space, left) & _assets(space, right)
    return space.names(space.row_of(space.flat(left.image_masks()))[both])


def _assets(space: Space, content: Content) -> Mask:
    return space.assets_of(space.flat(content.image_masks()))
