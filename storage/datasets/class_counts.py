"""How many annotations of a content each class has."""

from collections import Counter

import numpy as np

from storage.datasets.content import Content
from storage.datasets.reading import Segments


async def class_counts(content: Content, *, library: Segments) -> Counter[str]:
    """Return how many annotations each class has, over all layers."""
    counts: Counter[str] = Counter()
    for layer in content.layers.values():
        for segment, reader in (await library.segments(layer.masks)).items():
            classes, of_image = await reader.classes(), await reader.image_of()
            # One more place at the end, for those that have no class.
            here = np.bincount(
                classes.codes[layer.masks[segment][of_image]] % (len(classes.names) + 1),
                minlength=len(classes.names) + 1,
            )
            counts.update({name: int(here[code]) for code, name in enumerate(classes.names) if here[code]})
    return counts
