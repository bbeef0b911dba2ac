"""Covering the space of features: k-center, which picks what is farthest from everything known."""

from typing import Final

import numpy as np
from typing_extensions import override

from workers.mining.nearest import Nearest
from workers.mining.part import Part
from workers.mining.pool import Floats, Pool

FARTHEST: Final = 4.0
"""The square of the largest distance of two vectors of unit length."""


class Center(Part):
    """K-center, greedily (Sener, Savarese: Active learning for convolutional neural networks: a core-set approach).

    It starts from what is labeled; where nothing is, with the candidate that is nearest to the mean of all.
    """

    is_fixed = False

    def __init__(self, pool: Pool, features: Floats) -> None:
        self._nearest = Nearest(features, pool.labeled.features)
        self._is_first = not np.isfinite(self._nearest.squares).all()
        super().__init__(self._now(features), self._told)

    @override
    def take(self, place: int, total: Floats) -> None:
        self._nearest.take(place, total)
        self._is_first = False
        self.gains = np.sqrt(self._nearest.squares / np.float32(FARTHEST))

    def _now(self, features: Floats) -> Floats:
        if not self._is_first:
            return np.asarray(np.sqrt(self._nearest.squares / np.float32(FARTHEST)))
        apart = ((features - features.mean(axis=0)) ** 2).sum(axis=1)
        return np.asarray(1 / (1 + apart), np.float32)

    def _told(self, place: int) -> str:
        if self._is_first:
            return "the nearest to the mean of all"
        return f"{np.sqrt(self._nearest.squares[place]):.3g} from everything picked or labeled"
