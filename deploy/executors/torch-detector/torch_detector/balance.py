"""How often each training image is shown: those of rare classes more, those without objects less."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from torch_detector.annotations import Truth
from torch_detector.boxes import Floats

MOST = 4.0  # times that an image is shown in an epoch
EMPTY = 0.5


def times_shown(truths: Sequence[Truth], *, classes: int) -> Floats:
    """Return how often each image is shown in an epoch, on average: 1 if it has common objects only.

    A class that is on n images counts as rare if others are on more, N in the mean: its images are shown sqrt(N / n)
    times, as in the repeat factors of arXiv 1908.03195.
    """
    on = np.array([np.bincount(truth.classes, minlength=classes) > 0 for truth in truths])
    images = on.sum(axis=0)
    mean = images[images > 0].mean() if images.any() else 1.0
    rarity = np.clip(np.sqrt(mean / np.maximum(images, 1)), 1.0, MOST)
    return np.asarray(np.where(on.any(axis=1), (on * rarity).max(axis=1), EMPTY), np.float32)
