"""BADGE: images that would move the model most and in different directions, drawn one after the other."""

from typing import Final

import numpy as np
from typing_extensions import override

from storage.datasets.keyed_hash import keyed_hashes
from workers.mining.objects import Objects
from workers.mining.part import Part
from workers.mining.pool import Floats, Pool
from workers.mining.uncertainty import entropies

OPERATION: Final = "badge"


class Gradients(Part):
    """BADGE (Ash and others: Deep batch active learning by diverse, uncertain gradient lower bounds).

    The gradient of an image is the outer product of its feature with the error that its most undecided box would have
    if the likeliest class were right; it is never written out: products of two are products of their factors. Each
    pick is drawn with a chance in proportion to the squared distance from those before it (k-means++).
    """

    is_fixed = False

    def __init__(self, pool: Pool, objects: Objects, features: Floats) -> None:
        self._pool, self._step = pool, 0
        self._features, self._errors = features, errors_of(objects, images=len(features))
        lengths = np.einsum("ij,ij->i", features, features) * np.einsum("ij,ij->i", self._errors, self._errors)
        self._lengths = self._squares = lengths
        super().__init__(self._drawn(), self._told)

    @override
    def take(self, place: int, total: Floats) -> None:
        products = (self._errors @ self._errors[place]) * (self._features @ self._features[place])
        squares = np.maximum(self._lengths + self._lengths[place] - 2 * products, 0)
        squares[place] = 0
        self._squares = np.minimum(self._squares, squares)
        self._step += 1
        self.gains = self._drawn()

    @override
    def score(self, place: int) -> float:
        return float(np.sqrt(self._squares[place]))

    def _drawn(self) -> Floats:
        # The largest of squares divided by exponential times is drawn in proportion to the squares.
        hashes = keyed_hashes(self._pool.ids, operation=f"{OPERATION}-{self._step}", seed=self._pool.seed)
        times = -np.log((hashes.astype(np.float64) + 1) / 2.0**64 + 1e-300)
        drawn = self._squares / np.maximum(times, 1e-12)
        return np.asarray(drawn / max(float(drawn.max(initial=0)), 1e-12), np.float32)

    def _told(self, place: int) -> str:
        return f"would move the model {np.sqrt(self._squares[place]):.3g} apart from the picks before it"


def errors_of(objects: Objects, *, images: int) -> Floats:
    """Return, for each image, shares minus the likeliest of its most undecided box; zeros where nothing was found."""
    errors = np.zeros((images, objects.shares.shape[1]), np.float32)
    # Written in this order, the most undecided of each image is written last.
    order = np.argsort(entropies(objects.shares), kind="stable")
    shares = objects.shares[order].copy()
    shares[np.arange(len(shares)), shares.argmax(axis=1)] -= 1
    errors[objects.image[order]] = shares
    return errors
