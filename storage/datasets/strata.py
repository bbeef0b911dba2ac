"""Strata: each image belongs to the rarest class that is on it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from schemas.annotations import GROUND_TRUTH, LayerName
from schemas.schema import Digest
from storage.datasets.content import Content
from storage.datasets.reading import ClassCodes, Segments
from storage.datasets.restriction import Ids
from storage.datasets.space import Space

Strata = Mapping[Digest, NDArray[np.int32]]
"""For each segment of images the stratum of each row; the strata are numbered from the rarest class on."""


async def strata_of(content: Content, *, ids: Ids, library: Segments, layer: LayerName = GROUND_TRUTH) -> Strata:
    """Return the stratum of each image: its rarest class in a layer; the last stratum has those without any.

    A class is the rarer the fewer images have it; between equals the earlier name (as UTF-8) is the rarer.
    """
    space = Space.of(content, ids=ids)
    pairs = [await _pairs(space, segment, content, layer, library) for segment in content.layer_masks(layer)]
    names = sorted({name for _, codes in pairs for name in codes.names}, key=lambda name: name.encode())
    numbers = {name: number for number, name in enumerate(names)}
    keys = [_keys(assets, codes, numbers) for assets, codes in pairs]
    distinct = np.unique(np.concatenate(keys)) if keys else np.zeros(0, np.int64)
    asset, name = np.divmod(distinct, max(1, len(names)))
    images = np.bincount(name, minlength=len(names))
    rank = np.empty(len(names), np.int32)
    rank[np.argsort(images, kind="stable")] = np.arange(len(names), dtype=np.int32)
    stratum = np.full(space.assets + 1, len(names), np.int32)
    np.minimum.at(stratum, asset, rank[name])
    return {
        segment: stratum[space.asset[space.starts[segment] : space.starts[segment] + len(mask)]]
        for segment, mask in content.image_masks().items()
    }


async def _pairs(
    space: Space, segment: Digest, content: Content, layer: LayerName, library: Segments
) -> tuple[NDArray[np.int64], ClassCodes]:
    """Return the asset number and class of each annotation of a layer's segment."""
    reader = (await library.segments([segment]))[segment]
    codes = await reader.classes()
    image = await reader.image_of()
    good = content.layer_masks(layer)[segment][image] & (codes.codes >= 0)
    assets = space.asset[image[good].astype(np.int64) + space.starts[segment]].astype(np.int64)
    return assets, codes._replace(codes=codes.codes[good])


def _keys(assets: NDArray[np.int64], codes: ClassCodes, numbers: Mapping[str, int]) -> NDArray[np.int64]:
    lookup = np.array([*(numbers[name] for name in codes.names), 0], np.int64)
    return np.unique(assets * max(1, len(numbers)) + lookup[codes.codes])
