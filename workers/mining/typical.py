"""Typical images: the densest point of each cluster, clusters without a labeled image first."""

from typing import Final

import numpy as np
from typing_extensions import override

from storage.datasets.keyed_hash import keyed_hashes
from workers.mining.kmeans import clustered
from workers.mining.nearest import nearest_squares
from workers.mining.part import Part
from workers.mining.pool import Floats, Numbers, Pool

NEIGHBOURS: Final = 20
FITTED: Final = 20_000
"""The clusters are found in so many candidates, drawn by lot; then each of all belongs to the nearest."""
SEEN: Final = 512
"""Of a larger cluster, so many members are looked at to tell how typical each is."""
ROWS: Final = 4_096


class Typical(Part):
    """TypiClust (Hacohen, Dekel, Weinshall: Active learning on a budget, opposite strategies suit high and low ones).

    As many clusters as there are labeled and wanted images, up to a limit. Next is the most typical member of the
    cluster with the fewest that are labeled or picked; of equal ones, of the largest.
    """

    is_fixed = False

    def __init__(self, pool: Pool, features: Floats) -> None:
        count = min(len(pool.assets), len(pool.labeled.assets) + pool.wanted, pool.options.clusters)
        drawn = np.argsort(keyed_hashes(pool.ids, operation="typiclust", seed=pool.seed), kind="stable")
        centers = clustered(features[np.sort(drawn[:FITTED])], features[np.sort(drawn[:count])])
        self._of = nearest_squares(features, centers)[1]
        self._sizes = np.bincount(self._of, minlength=count)
        self._typical = typicality(features, self._of)
        self._known = np.zeros(count, np.int64)
        if pool.labeled.features is not None and len(pool.labeled.features):
            self._known += np.bincount(nearest_squares(pool.labeled.features, centers)[1], minlength=count)
        super().__init__(self._now(), self._told)

    @override
    def take(self, place: int, total: Floats) -> None:
        self._known[self._of[place]] += 1
        self.gains = self._now()

    def _now(self) -> Floats:
        order = np.lexsort((-self._sizes, self._known))
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        gains = (len(order) - 1 - rank[self._of] + self._typical) / len(order)
        return np.asarray(gains, np.float32)

    def _told(self, place: int) -> str:
        cluster = self._of[place]
        known = f"{self._known[cluster]} labeled or picked" if self._known[cluster] else "none labeled or picked"
        return f"typical of {self._sizes[cluster]} images alike, {known}"


def typicality(features: Floats, of: Numbers) -> Floats:
    """Return, from 0 to below 1, how near each feature is to its nearest neighbours in its cluster."""
    result = np.zeros(len(features), np.float32)
    order = np.argsort(of, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(of[order])) + 1):
        step = -(-len(members) // SEEN)
        for start in range(0, len(members), ROWS):
            some = members[start : start + ROWS]
            result[some] = 1 / (1.001 + _mean_distance(features[some], features[members[::step]]))
    return result


def _mean_distance(some: Floats, others: Floats) -> Floats:
    squares = np.einsum("ij,ij->i", some, some)[:, None] + np.einsum("ij,ij->i", others, others) - 2 * (some @ others.T)
    count = min(NEIGHBOURS + 1, squares.shape[1])
    near = np.partition(squares, count - 1, axis=1)[:, :count]
    return np.asarray(np.sqrt(np.maximum(near, 0)).mean(axis=1), np.float32)
