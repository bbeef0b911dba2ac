"""A learning curve: what a figure of a line of models grew like with their labels, and what more labels would add."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.errors import Invalid
from schemas.learning import Estimate

LEAST_POINTS: Final = 3
NOISE: Final = 0.01
"""The standard deviation of a figure when the same training is done again with other images; at least so much is
assumed, for a few points always lie near some curve."""
ENDS: Final = np.array([0.05, 0.95])
"""Nine in ten of what is likely lies between."""
STEPS: Final = np.linspace(-2.5, 2.5, 11)

Floats = NDArray[np.float64]


class Point(NamedTuple):
    """What was measured of one model."""

    images: int
    value: float


class Fitted(NamedTuple):
    """Curves that may be true, and how likely each is."""

    first: float
    """How many images the smallest model had."""
    limits: Floats
    drops: Floats
    """By how much each curve is below its limit there."""
    powers: Floats
    weights: Floats

    def at(self, images: float) -> Floats:
        """Return the value of each curve for a number of labeled images."""
        return np.asarray(self.limits - self.drops * (images / self.first) ** -self.powers)

    def estimate(self, values: Floats) -> Estimate:
        """Return the mean over all curves, and between what nine in ten of what is likely lie."""
        order = np.argsort(values)
        low, high = np.interp(ENDS, np.cumsum(self.weights[order]), values[order])
        return Estimate(value=float(self.weights @ values), low=float(low), high=float(high))


def fitted(points: Sequence[Point]) -> Fitted:
    """Return the curves ``limit - drop * (images / first) ** -power`` by how well they explain what was measured.

    Every curve of a grid counts, by its likelihood: limits from 0 to 1, powers from 0.1 to 2, drops that are not
    negative. So few points leave a wide interval, where the one best curve would promise too much. The inverse power
    law is that of Hestness and others (Deep learning scaling is predictable, empirically, 2017). Raise Invalid for
    fewer than three numbers of images.
    """
    images = np.array([point.images for point in points], np.float64)
    values = np.array([point.value for point in points], np.float64)
    if len(np.unique(images)) < LEAST_POINTS:
        raise Invalid(
            f"A curve needs models trained on at least {LEAST_POINTS} different numbers of images.",
            step="Train another model of the same name on more labels.",
        )
    return _all_curves(images, values)


def _all_curves(images: Floats, values: Floats) -> Fitted:
    limits, powers = (grid.ravel() for grid in np.meshgrid(np.linspace(0, 1, 101), np.geomspace(0.1, 2, 40)))
    x = (images[None, :] / images.min()) ** -powers[:, None]
    squares = (x**2).sum(axis=1)
    best = ((limits[:, None] - values) * x).sum(axis=1) / squares
    wrong = ((limits[:, None] - best[:, None] * x - values) ** 2).sum(axis=1)
    least = float(wrong.min(initial=np.inf, where=best >= 0))
    noise = max(NOISE, np.sqrt(least / max(len(values) - 3, 1))) if np.isfinite(least) else NOISE
    drops, weights = _likely(best, wrong, squares, noise)
    return Fitted(images.min(), np.repeat(limits, len(STEPS)), drops, np.repeat(powers, len(STEPS)), weights)


def _likely(best: Floats, wrong: Floats, squares: Floats, noise: float) -> tuple[Floats, Floats]:
    """Return drops around the best of each limit and power, none of them negative, and how likely each curve is."""
    widths = (noise / np.sqrt(squares))[:, None]
    drops = np.maximum(best[:, None] + STEPS * widths, 0)
    # How far a drop that was cut off at zero is from the best one.
    off = (drops - best[:, None]) / widths
    logs = -wrong[:, None] / (2 * noise**2) - off**2 / 2 + np.log(widths)
    weights = np.exp(logs - logs.max())
    return drops.ravel(), (weights / weights.sum()).ravel()
