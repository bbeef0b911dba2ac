"""Two stages: what a model is unsure of, rare classes first and nothing twice; of that what is most different."""

from typing import Final

import numpy as np
from typing_extensions import override

from schemas.mining import Aggregate
from workers.mining.duplicates import Looks, apart
from workers.mining.nearest import Nearest
from workers.mining.objects import Objects
from workers.mining.part import Part
from workers.mining.pool import Floats, Numbers, Pool
from workers.mining.uncertainty import aggregated, entropies, rarities

COMPARED_AT_MOST: Final = 10_000
"""A shortlist is no longer: each on it is compared with all others. Picks beyond it follow by their scores alone."""


class TwoStage(Part):
    """Uncertainty times diversity.

    First every image is scored by its most undecided box, those of rarely labeled classes counting more, and those
    that look like a better or a labeled one are put aside. Of the best of the others, a few times as many as are
    wanted, the one is taken next that is far from those before it in its features, and scored high.
    """

    is_fixed = False

    def __init__(self, pool: Pool, objects: Objects, features: Floats | None) -> None:
        self._scores = class_weighted(pool, objects)
        self._shortlist = _shortlist(pool, self._scores)
        self._nearest = None if features is None else Nearest(features[self._shortlist])
        self._place = {place: position for position, place in enumerate(self._shortlist.tolist())}
        # What is not on the shortlist comes after it.
        behind = np.asarray(self._scores * np.float32(1e-6), np.float32)
        super().__init__(behind, self._told)
        self._spread()

    @override
    def take(self, place: int, total: Floats) -> None:
        if self._nearest is not None and place in self._place:
            self._nearest.take(self._place[place], total[self._shortlist])
            self._spread()

    def _spread(self) -> None:
        scores = self._scores[self._shortlist]
        if self._nearest is not None and np.isfinite(self._nearest.squares).all():
            scores = scores * np.sqrt(self._nearest.squares / np.float32(4))
        self.gains[self._shortlist] = scores

    def _told(self, place: int) -> str:
        told = f"an undecided box, rare classes first: {self._scores[place]:.3g}"
        if self._nearest is None or place not in self._place:
            return told
        square = self._nearest.squares[self._place[place]]
        return told if not np.isfinite(square) else f"{told}; {np.sqrt(square):.3g} from the picks before it"


def class_weighted(pool: Pool, objects: Objects) -> Floats:
    """Return for each image the most of its boxes: entropy x likely classes, the rarely labeled ones counting more.

    The largest is 1.
    """
    weights = rarities(pool, objects.shares.shape[1] - 1)
    values = entropies(objects.shares) * (objects.shares[:, :-1] @ weights)
    most = aggregated(values, objects, images=len(pool.assets), by=Aggregate.MAX)
    return np.asarray(most / max(float(most.max(initial=0.0)), 1e-12), np.float32)


def _shortlist(pool: Pool, scores: Floats) -> Numbers:
    most = min(len(scores), round(pool.options.shortlist * pool.wanted), COMPARED_AT_MOST)
    order = np.argsort(-scores, kind="stable")
    return order[:most] if pool.hashes is None else apart(Looks(pool, pool.hashes), order, most=most)
