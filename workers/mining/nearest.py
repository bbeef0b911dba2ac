"""Nearest: how far each of many features is from the nearest that was taken, computed for many at a time."""

from typing import Final

import numpy as np

from workers.mining.pool import Floats, Numbers

BLOCK: Final = 64
"""Of so many likely picks the distances to all are computed together: the features are read once for them."""
ROWS: Final = 16_384


class Nearest:
    """The squared distances of features to the nearest of those that are known."""

    def __init__(self, features: Floats, known: Floats | None = None) -> None:
        self._features = features
        self._lengths = np.einsum("ij,ij->i", features, features, dtype=np.float32)
        self._columns: dict[int, Floats] = {}
        self.squares = np.full(len(features), np.inf, np.float32)
        """Infinite as long as nothing is known."""
        if known is not None and len(known):
            self.squares = nearest_squares(features, known)[0]

    def take(self, place: int, likely: Floats) -> None:
        """Learn that one of the features is known; ``likely`` is high for those that will be soon."""
        if place not in self._columns:
            self._compute(place, likely)
        np.minimum(self.squares, self._columns.pop(place), out=self.squares)
        self.squares[place] = 0

    def _compute(self, place: int, likely: Floats) -> None:
        count = min(BLOCK, len(likely))
        next_ones = np.argpartition(-likely, count - 1)[:count]
        chosen = np.concatenate([[place], next_ones[next_ones != place]]).astype(np.int64)
        products = self._features[chosen] @ self._features.T
        products *= -2
        products += self._lengths
        products += self._lengths[chosen, None]
        np.maximum(products, 0, out=products)
        self._columns = dict(zip(chosen.tolist(), products, strict=True))


def nearest_squares(features: Floats, known: Floats) -> tuple[Floats, Numbers]:
    """Return the squared distance of each of some features to the nearest of others, and which that is."""
    lengths = np.einsum("ij,ij->i", known, known, dtype=np.float32)
    squares, where = np.empty(len(features), np.float32), np.empty(len(features), np.int64)
    doubled = np.ascontiguousarray(known.T) * np.float32(-2)
    step = max(1, ROWS * 256 // max(len(known), 1))
    for start in range(0, len(features), step):
        some = features[start : start + step]
        distances = some @ doubled
        distances += lengths
        best = distances.argmin(axis=1)
        where[start : start + step] = best
        own = np.einsum("ij,ij->i", some, some, dtype=np.float32)
        squares[start : start + step] = np.maximum(distances[np.arange(len(some)), best] + own, 0)
    return squares, where
