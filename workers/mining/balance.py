"""Balance: images on which classes are likely that have few labeled boxes, counting what is picked as labeled."""

import numpy as np
from typing_extensions import override

from workers.mining.objects import Objects
from workers.mining.part import Part
from workers.mining.pool import Floats, Pool


class Balanced(Part):
    """Wants each class as often as the others: boxes that are expected of a pick count as labeled from then on."""

    is_fixed = False

    def __init__(self, pool: Pool, objects: Objects) -> None:
        self._classes = pool.classes
        self._expected = expected(objects, images=len(pool.assets))
        self._counts = np.ones(len(pool.classes))
        if len(pool.labeled.class_counts):
            self._counts += pool.labeled.class_counts
        super().__init__(self._now(), self._told)

    @override
    def take(self, place: int, total: Floats) -> None:
        self._counts += self._expected[place]
        self.gains = self._now()

    def _now(self) -> Floats:
        wanted = self._expected @ (1 / self._counts).astype(np.float32)
        return np.asarray(wanted / (1 + wanted), np.float32)

    def _told(self, place: int) -> str:
        likely = self._expected[place] / self._counts
        best = int(likely.argmax())
        if not likely[best]:
            return "nothing was found on it"
        return f"{self._expected[place, best]:.2g} of {self._classes[best]}, of which few are labeled"


def expected(objects: Objects, *, images: int) -> Floats:
    """Return how many boxes of each class are to be expected on each image."""
    result = np.zeros((images, objects.shares.shape[1] - 1), np.float32)
    np.add.at(result, objects.image, objects.shares[:, :-1])
    return result
