"""How many annotations of a content each class has."""

import asyncio
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from storage.datasets.content import Content
from storage.datasets.reading import ClassCodes, Segments
from storage.datasets.selections import Mask


async def class_counts(content: Content, *, library: Segments) -> Counter[str]:
    """Return how many annotations each class has, over all layers."""
    counts: Counter[str] = Counter()
    for layer in content.layers.values():
        for segment, reader in (await library.segments(layer.masks)).items():
            mask = layer.masks[segment]
            counts += await asyncio.to_thread(_counts, await reader.classes(), await reader.image_of(), mask)
    return counts


def _counts(classes: ClassCodes, image: NDArray[np.int32], mask: Mask) -> Counter[str]:
    # One more place at the end, for those that have no class.
    places = len(classes.names) + 1
    here = np.bincount(classes.codes[mask[image]] % places, minlength=places).tolist()
    return Counter({name: count for name, count in zip(classes.names, here, strict=False) if count})
