"""Uncertainty: how undecided a model is about what it found, from 0 to 1."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from schemas.mining import Aggregate
from workers.mining.objects import Objects
from workers.mining.pool import Floats, Pool

Measure = Callable[[Floats], Floats]


def entropies(shares: Floats) -> Floats:
    """Return the entropy of each distribution, divided by the largest that it could have."""
    logs = np.log(np.maximum(shares, np.float32(1e-12)))
    return np.asarray(-(shares * logs).sum(axis=1) / np.log(shares.shape[1]), np.float32)


def margins(shares: Floats) -> Floats:
    """Return 1 minus the difference of the two largest shares of each distribution."""
    two = np.partition(shares, shares.shape[1] - 2, axis=1)[:, -2:]
    return np.asarray(1 - (two[:, 1] - two[:, 0]), np.float32)


def doubts(shares: Floats) -> Floats:
    """Return 1 minus the largest share of each distribution, divided by the most that this could be."""
    count = shares.shape[1]
    return np.asarray((1 - shares.max(axis=1)) * np.float32(count / (count - 1)), np.float32)


MEASURES: Final[Mapping[str, Measure]] = {"entropy": entropies, "margin": margins, "least_confidence": doubts}


def uncertainties(pool: Pool, objects: Objects, measure: Measure) -> Floats:
    """Return how undecided each image is: the most, mean or summed doubt over its boxes; 0 where nothing was found.

    Sums are divided by the largest, so they are from 0 to 1 too.
    """
    return aggregated(measure(objects.shares), objects, images=len(pool.assets), by=pool.options.aggregate)


def aggregated(values: Floats, objects: Objects, *, images: int, by: Aggregate) -> Floats:
    """Return one value for each image out of those of its boxes."""
    result = np.zeros(images, np.float64)
    if by is Aggregate.MAX:
        np.maximum.at(result, objects.image, values)
    else:
        np.add.at(result, objects.image, values)
    if by is Aggregate.MEAN:
        result /= np.maximum(np.bincount(objects.image, minlength=images), 1)
    if by is Aggregate.SUM:
        result /= max(result.max(initial=0.0), 1e-12)
    return result.astype(np.float32)


def rarities(pool: Pool, classes: int) -> Floats:
    """Return how much more each class counts than the most labeled one: the root of how many times rarer it is."""
    counts = np.maximum(pool.labeled.class_counts, 1) if len(pool.labeled.class_counts) else np.ones(classes)
    return np.asarray(np.sqrt(counts.max(initial=1) / counts), np.float32)
