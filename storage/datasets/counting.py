"""The counts of a version."""

import numpy as np

from schemas.datasets import LayerCounts, VersionCounts
from storage.datasets.content import Content
from storage.datasets.reading import Segments
from storage.datasets.selections import Masks, count


async def counted(content: Content, library: Segments) -> VersionCounts:
    """Return how many images a content has, by split, and how many assets and annotations each layer."""
    splits = {split: count(masks) for split, masks in content.images.items()}
    layers = {
        name: LayerCounts(assets=count(layer.masks), annotations=await _annotations(layer.masks, library))
        for name, layer in content.layers.items()
    }
    return VersionCounts(images=sum(splits.values()), splits=splits, layers=layers)


async def _annotations(masks: Masks, library: Segments) -> int:
    total = 0
    for segment, reader in (await library.segments(masks)).items():
        if masks[segment].all():
            total += reader.document.annotation_rows
        else:
            counts = (await reader.images(["annotations"])).column("annotations").to_numpy()
            total += int(counts[masks[segment]].sum(dtype=np.int64))
    return total
