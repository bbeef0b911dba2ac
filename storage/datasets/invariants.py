"""What is always true of a content that is kept."""

import numpy as np

from schemas.errors import Invalid
from storage.datasets.content import Content
from storage.datasets.restriction import Ids
from storage.datasets.selections import Mask, count
from storage.datasets.space import Space


def check(content: Content, ids: Ids) -> None:
    """Raise Invalid unless an asset is once in the images, at most once in each layer, and in no layer alone."""
    space = Space.of(content, ids=ids)
    images = space.flat(content.image_masks())
    if int(np.count_nonzero(images)) < content.image_count():
        raise Invalid("An image is in two splits of the version.", step="Put each image into one split.")
    known = _once(space, images, "images")
    for name, layer in content.layers.items():
        rows = images if _same_rows(content, name) else space.flat(layer.masks)
        alone = _once(space, rows, name) & ~known
        if alone.any():
            asset = space.names(space.row_of(rows)[alone][:1])[0]
            raise Invalid(
                f"The layer {name!r} has the asset {asset}, which is not among the images.",
                step="Add the image to the version, or leave its annotations out.",
            )


def _once(space: Space, rows: Mask, role: str) -> Mask:
    assets = space.assets_of(rows)
    if int(np.count_nonzero(assets)) < int(np.count_nonzero(rows)):
        numbers, times = np.unique(space.asset[rows], return_counts=True)
        twice = np.flatnonzero(rows & (space.asset == numbers[times > 1][0]))
        raise Invalid(f"The asset {space.names(twice[:1])[0]} is twice in {role!r}.", step="Take it from one segment.")
    return assets


def _same_rows(content: Content, layer: str) -> bool:
    masks, images = content.layers[layer].masks, content.image_masks()
    return (
        masks.keys() == images.keys()
        and count(masks) == count(images)
        and all(np.array_equal(masks[segment], images[segment]) for segment in masks)
    )
