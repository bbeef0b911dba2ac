"""Histograms: YMIR's bins, and counting into them."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.statistics import Bin, Histogram

TENTHS: Final = tuple(step / 10 for step in range(11))
# One to three, four to ten, more.
DENSITY: Final = (1, 4, 11)
OBJECTS: Final = (0, 1, 2, 3, 4, 5, 10, 15, 20, 30, 40, 50, 100)
PIXELS: Final = (0, 1, 50, 500, 2_500, 5_000, 10_000, 50_000, 100_000, 200_000)
BINS: Final[Mapping[str, tuple[float, ...]]] = {
    "bytes": tuple(step / 2 for step in range(11)),
    "area": (0, 100_000, 500_000, 1_000_000, 2_000_000, 4_000_000, 6_000_000, 8_000_000),
    "ratio": tuple(step / 10 for step in range(16)),
    "box_area": PIXELS,
    "mask_area": PIXELS,
    "box_area_ratio": TENTHS,
    "quality": TENTHS,
    "confidence": TENTHS,
    "annotations": OBJECTS,
    "classes": OBJECTS,
    "density": DENSITY,
}

Counts = NDArray[np.int64]


def binned(name: str, values: NDArray[Any]) -> Counts:
    """Return how many values are in each bin of a histogram; NaN and what is below the first bin are in none."""
    # A comparison for each bin is several times quicker than a search for each value.
    at_least = [int(np.count_nonzero(values >= least)) for least in BINS[name]]
    return np.array(at_least, np.int64) - np.array([*at_least[1:], 0], np.int64)


def histogram(name: str, counts: Counts) -> Histogram:
    """Return counts by bin as the schema has them."""
    return tuple(Bin(least=least, count=int(count)) for least, count in zip(BINS[name], counts.tolist(), strict=True))
