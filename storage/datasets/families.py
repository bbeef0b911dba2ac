"""Families: images that are drawn or dealt out together, or not at all."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.datasets.drawing import Numbers, Urn, largest_remainder


@dataclass(frozen=True)
class Families:
    """The families of an urn, in order of the hash of the member with the least id, equal ones in order of that id."""

    of_place: Numbers
    """The family of each place."""
    sizes: Numbers

    @classmethod
    def of(cls, urn: Urn, label: Numbers) -> "Families":
        """Return the families of an urn whose places have equal labels where they belong together."""
        _, family, sizes = np.unique(label, return_inverse=True, return_counts=True)
        heads = np.empty(len(sizes), np.int64)
        by_id = urn.by_id(np.arange(len(label)))[::-1] if (sizes > 1).any() else np.arange(len(label))
        # The last that is written stays: the least id.
        heads[family[by_id]] = by_id
        order = family[urn.ordered(heads)]
        rank = np.empty(len(sizes), np.int64)
        rank[order] = np.arange(len(order))
        return cls(rank[family], sizes[order])

    def strata(self, stratum: NDArray[np.int32]) -> list[Numbers]:
        """Return the families of each stratum, empty ones left out: a family is of the first stratum of its members."""
        first = np.full(len(self.sizes), np.iinfo(np.int32).max, np.int32)
        np.minimum.at(first, self.of_place, stratum)
        return [np.flatnonzero(first == one) for one in np.unique(first)]

    def places(self, families: Numbers) -> Numbers:
        """Return the places of some families."""
        chosen = np.zeros(len(self.sizes), np.bool_)
        chosen[families] = True
        return np.flatnonzero(chosen[self.of_place])

    def drawn(self, among: Numbers, count: int) -> Numbers:
        """Return those of some families, in their order, that still fit into a count of images when they come."""
        taken, left = [], count
        for family, size in zip(among.tolist(), self.sizes[among].tolist(), strict=True):
            if size <= left:
                taken.append(family)
                left -= size
        return np.array(taken, np.int64)

    def dealt(self, among: Numbers, shares: tuple[float, ...]) -> list[Numbers]:
        """Return some families dealt out by shares of images: the largest first, each to whom most is missing."""
        missing = largest_remainder(shares, int(self.sizes[among].sum()))
        hands: list[list[int]] = [[] for _ in shares]
        order = among[np.argsort(-self.sizes[among], kind="stable")]
        for family, size in zip(order.tolist(), self.sizes[order].tolist(), strict=True):
            hand = missing.index(max(missing))
            hands[hand].append(family)
            missing[hand] -= size
        return [np.array(hand, np.int64) for hand in hands]
