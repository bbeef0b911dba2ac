"""ProbCover: the images that stand for most others, those within a radius of them, that nothing stands for yet."""

from typing import Final, NamedTuple

import numpy as np
from typing_extensions import override

from storage.datasets.keyed_hash import keyed_hashes
from workers.mining.nearest import nearest_squares
from workers.mining.part import Part
from workers.mining.pool import Floats, Numbers, Pool

LOOKED_AT: Final = 20_000
"""Of more candidates so many are drawn by lot: all are compared with all."""
PROBED: Final = 512
LEAST_SHARE: Final = 0.02
ROWS: Final = 1_024


class Neighbours(NamedTuple):
    """Which features lie within the radius of each, itself too: those of the n-th from ``starts[n]`` on."""

    of: Numbers
    starts: Numbers


class ProbableCover(Part):
    """ProbCover (Yehuda and others: Active learning through a covering lens), greedily, starting from what is labeled.

    Without a radius, that within which there is a share of one for each image that is wanted or labeled, 2 % at most,
    taken as the median over some.
    """

    is_fixed = False

    def __init__(self, pool: Pool, features: Floats) -> None:
        drawn = np.argsort(keyed_hashes(pool.ids, operation="probcover", seed=pool.seed), kind="stable")[:LOOKED_AT]
        self._places = np.sort(drawn)
        self._position = {place: position for position, place in enumerate(self._places.tolist())}
        some = features[self._places]
        self._radius = pool.options.radius or _radius(some, len(pool.labeled.assets) + pool.wanted)
        self._neighbours = _neighbours(some, self._radius)
        self._open = np.ones(len(some), np.bool_)
        if pool.labeled.features is not None and len(pool.labeled.features):
            self._open = nearest_squares(some, pool.labeled.features)[0] > self._radius**2
        super().__init__(np.zeros(len(features), np.float32), self._told)
        self._count()

    @override
    def take(self, place: int, total: Floats) -> None:
        if place in self._position:
            self._open[self._within(self._position[place])] = False
            self._count()

    def _count(self) -> None:
        covers = np.add.reduceat(self._open[self._neighbours.of].astype(np.int64), self._neighbours.starts)
        self.gains[self._places] = covers / len(covers)

    def _within(self, position: int) -> Numbers:
        ends = np.append(self._neighbours.starts, len(self._neighbours.of))
        return self._neighbours.of[ends[position] : ends[position + 1]]

    def _told(self, place: int) -> str:
        count = round(float(self.gains[place]) * len(self._places))
        return f"stands for {count} images within {self._radius:.3g} that nothing stood for"


def _radius(features: Floats, budget: int) -> float:
    share = min(1 / max(budget, 1), LEAST_SHARE)
    probes = features[:: max(1, len(features) // PROBED)]
    lengths = np.einsum("ij,ij->i", features, features)
    squares = np.einsum("ij,ij->i", probes, probes)[:, None] + lengths - 2 * (probes @ features.T)
    place = min(len(features) - 1, max(1, round(share * len(features))))
    return float(np.sqrt(max(float(np.median(np.partition(squares, place, axis=1)[:, place])), 1e-9)))


def _neighbours(features: Floats, radius: float) -> Neighbours:
    lengths = np.einsum("ij,ij->i", features, features)
    found: list[Numbers] = []
    counts: list[Numbers] = []
    for start in range(0, len(features), ROWS):
        some = features[start : start + ROWS]
        near = lengths[start : start + ROWS, None] + lengths - 2 * (some @ features.T) <= radius**2
        near[np.arange(len(some)), np.arange(start, start + len(some))] = True
        found.append(np.nonzero(near)[1])
        counts.append(near.sum(axis=1))
    sizes = np.concatenate(counts)
    return Neighbours(np.concatenate(found), np.cumsum(sizes) - sizes)
