"""Duplicates: candidates that look like one that was picked, or that is labeled, by their perceptual hashes."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from storage.datasets.near_duplicates import Hashes
from workers.mining.part import Part
from workers.mining.pool import Floats, Mask, Numbers, Pool

UNKNOWN: Final = 257
"""More bits than a hash has: what has none is like nothing."""


class Columns:
    """Hashes word by word, so that one is compared with all of them fast."""

    def __init__(self, hashes: Hashes) -> None:
        self._words = np.ascontiguousarray(hashes.words.T)
        self._known = hashes.known

    def distances(self, word: NDArray[np.uint64]) -> NDArray[np.uint16]:
        """Return in how many bits each hash differs from one."""
        differing = np.zeros(self._words.shape[1], np.uint16)
        for column, own in zip(self._words, word, strict=True):
            differing += np.bitwise_count(column ^ own)
        differing[~self._known] = UNKNOWN
        return differing


class Looks:
    """Which candidates are alike to each other, and to what is labeled."""

    def __init__(self, pool: Pool, hashes: Hashes) -> None:
        self._hashes, self._alike = hashes, pool.options.alike
        labeled = pool.labeled.hashes
        self._labeled = Columns(labeled) if labeled is not None and len(labeled.known) else None
        self._all: Columns | None = None

    def like(self, place: int) -> Mask:
        """Return which candidates are alike to one of them."""
        if not self._hashes.known[place]:
            return np.zeros(len(self._hashes.known), np.bool_)
        if self._all is None:
            self._all = Columns(self._hashes)
        return self._all.distances(self._hashes.words[place]) <= self._alike

    def is_labeled(self, place: int) -> bool:
        """Return whether a candidate is alike to a labeled image."""
        if self._labeled is None or not self._hashes.known[place]:
            return False
        return bool((self._labeled.distances(self._hashes.words[place]) <= self._alike).any())

    def is_like_any(self, place: int, others: Sequence[int]) -> bool:
        """Return whether a candidate is alike to one of some others."""
        if not self._hashes.known[place] or not others:
            return False
        some = Hashes(self._hashes.words[others], self._hashes.known[others])
        return bool((Columns(some).distances(self._hashes.words[place]) <= self._alike).any())


def apart(looks: Looks, order: Numbers, *, most: int) -> Numbers:
    """Return the first candidates of an order that are alike to none before them and to nothing labeled."""
    kept: list[int] = []
    for place in order.tolist():
        if len(kept) == most:
            break
        if not looks.is_like_any(place, kept) and not looks.is_labeled(place):
            kept.append(place)
    return np.array(kept, np.int64)


class Dedup(Part):
    """Bars what is alike to a pick or to a labeled image; otherwise all are wanted equally."""

    is_fixed = False

    def __init__(self, pool: Pool, hashes: Hashes, gains: Floats) -> None:
        self._looks, self._hashes = Looks(pool, hashes), hashes
        super().__init__(gains, self._told)

    @override
    def refuses(self, place: int) -> bool:
        return self._looks.is_labeled(place)

    @override
    def take(self, place: int, total: Floats) -> None:
        alike = self._looks.like(place)
        self.barred = alike if self.barred is None else self.barred | alike

    def _told(self, place: int) -> str:
        return "like no other pick" if self._hashes.known[place] else "it has no perceptual hash"
