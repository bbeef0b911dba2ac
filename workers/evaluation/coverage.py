"""Which images of a content count: those that the ground truth and all predictions cover."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from storage.datasets.content import Content
from storage.datasets.selections import Mask
from storage.datasets.space import Space


class Coverage(NamedTuple):
    """How many images count: those that both layers cover; and how many lack one of them or both."""

    both: int
    only_ground_truth: int
    only_predictions: int
    neither: int


def covered(content: Content, space: Space, *, ground_truth: str, layers: Sequence[str]) -> tuple[Mask, Coverage]:
    """Return, as an asset mask, the images that count: of several layers of predictions all have to cover them."""

    def assets(layer: str) -> Mask:
        return space.assets_of(space.flat(content.layer_masks(layer)))[:-1]

    images = space.assets_of(space.flat(content.image_masks()))[:-1]
    truths, predictions = assets(ground_truth), np.logical_and.reduce([assets(layer) for layer in layers])
    parts = (truths & predictions, truths & ~predictions, ~truths & predictions, ~truths & ~predictions)
    coverage = Coverage(*(int(np.count_nonzero(images & part)) for part in parts))
    # The last place of an asset mask stands for rows that nobody uses.
    return np.append(images & parts[0], [False]), coverage
