"""Restriction: a content with fewer assets, its layers following its images."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from schemas.schema import Digest
from storage.datasets.asset_ids import AssetIds, among
from storage.datasets.content import Content
from storage.datasets.selections import Mask, Masks, count, difference, frozen, intersection, union
from storage.datasets.space import Space

Ids = Mapping[Digest, AssetIds]
FEW: Final = 8
"""So many times fewer assets are looked for one by one, rather than numbered together with all others."""


def restricted(content: Content, keep: Masks, *, ids: Ids) -> Content:
    """Return the content with those assets alone whose image rows are in ``keep``, in the images and in every layer."""
    images = content.image_masks()
    keep = intersection(keep, images)
    layers = {
        name: replace(layer, masks=_layer_rows(layer.masks, keep, images, ids=ids))
        for name, layer in content.layers.items()
    }
    return Content({split: intersection(masks, keep) for split, masks in content.images.items()}, layers)


def image_rows_of(content: Content, rows: Masks, *, ids: Ids) -> dict[Digest, Mask]:
    """Return the image rows of a content whose assets have a row, in whatever segment, among ``rows``."""
    images = content.image_masks()
    direct = intersection(rows, images)
    strays = _some(difference(rows, images))
    return union(direct, _same_assets(images, strays, ids=ids)) if strays else direct


def _layer_rows(layer: Masks, keep: Masks, images: Masks, *, ids: Ids) -> dict[Digest, Mask]:
    # Where image and annotations are in the same segment, nothing has to be looked up.
    direct = intersection(layer, keep)
    strays = _some(difference(layer, images))
    return union(direct, _same_assets(strays, keep, ids=ids)) if strays else direct


def _same_assets(rows: Masks, others: Masks, *, ids: Ids) -> dict[Digest, Mask]:
    if FEW * count(others) < count(rows):
        wanted = [ids[segment].take(mask) for segment, mask in others.items()]
        return {segment: _of_any(mask, ids[segment], wanted) for segment, mask in rows.items()}
    space = Space.of_masks(rows, others, ids=ids)
    return space.masks(space.flat(rows) & space.rows_of(space.assets_of(space.flat(others))))


def _of_any(mask: Mask, assets: AssetIds, wanted: Sequence[AssetIds]) -> Mask:
    found = np.zeros_like(mask)
    for some in wanted:
        found |= among(assets, some)
    return frozen(mask & found)


def _some(masks: Masks) -> dict[Digest, Mask]:
    return {segment: mask for segment, mask in masks.items() if mask.any()}
