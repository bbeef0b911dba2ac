"""Several evaluations side by side, and how sure the differences are."""

import asyncio
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.evaluations import (
    ClassDifference,
    ClassFigures,
    Evaluation,
    EvaluationComparison,
    EvaluationTable,
    Gain,
    Measure,
)
from storage.datasets.mark_counts import MarkCounts, mark_counts
from storage.ports import Blobs

CLASSES_AT_MOST: Final = 1_000
DRAWS: Final = 500
SEED: Final = 0
OUTSIDE_PERCENT: Final = (2.5, 97.5)

Counts = NDArray[np.float64]


async def comparison(evaluations: Sequence[Evaluation], *, blobs: Blobs) -> EvaluationComparison:
    """Return evaluations side by side, all against the first."""
    tables = [EvaluationTable.model_validate_json(await blobs.get(one.table.digest)) for one in evaluations]
    by_class = [{one.class_name: one for one in table.classes} for table in tables]
    names = sorted({name for classes in by_class for name in classes})[:CLASSES_AT_MOST]
    is_paired = len({_ground(one) for one in evaluations}) == 1
    gains = [Gain(ap=0.0, f1=0.0)]
    first = await mark_counts(evaluations[0].marks.digest, blobs=blobs) if is_paired else None
    for other in evaluations[1:]:
        interval = None
        if first is not None and other.measure is not Measure.SEMANTIC:
            counts = await mark_counts(other.marks.digest, blobs=blobs)
            interval = await asyncio.to_thread(f1_interval, first, counts, images=other.images)
        gains.append(_gain(evaluations[0], other, interval))
    return EvaluationComparison(
        evaluations=tuple(evaluations),
        gains=tuple(gains),
        classes=tuple(_difference(name, [classes.get(name) for classes in by_class]) for name in names),
        is_paired=is_paired,
    )


def f1_interval(first: MarkCounts, other: MarkCounts, *, images: int) -> tuple[float, float]:
    """Return where 95 % of the differences in F1 lie when as many images are drawn again, the same for both.

    The draws are seeded: equal evaluations have equal intervals. CPU-heavy: call it in a thread.
    """
    both = _side_by_side(first, other, images)
    random = np.random.default_rng(SEED)
    differences = np.empty(DRAWS)
    for draw in range(DRAWS):
        times = np.bincount(random.integers(0, images, images), minlength=images)
        sums = times.astype(np.float64) @ both
        differences[draw] = _f1(sums[3:]) - _f1(sums[:3])
    low, high = np.percentile(differences, OUTSIDE_PERCENT)
    return float(low), float(high)


def _side_by_side(first: MarkCounts, other: MarkCounts, images: int) -> Counts:
    """Return the counts of both on each image, of shape (images, 6); images without a mark are rows of zeros."""
    places = {asset: place for place, asset in enumerate(sorted({*first.assets, *other.assets}))}
    both = np.zeros((max(images, len(places)), 6))
    for start, counts in ((0, first), (3, other)):
        both[[places[asset] for asset in counts.assets], start : start + 3] = counts.counts
    return both[:images]


def _f1(sums: Counts) -> float:
    hits, misses, missed = sums
    return float(2 * hits / (2 * hits + misses + missed)) if hits else 0.0


def _ground(one: Evaluation) -> tuple[object, ...]:
    return (one.version, one.ground_truth, one.images, one.measure)


def _gain(first: Evaluation, other: Evaluation, interval: tuple[float, float] | None) -> Gain:
    ap, f1 = _less(other.overall.ap, first.overall.ap), _less(other.overall.f1, first.overall.f1)
    return Gain(ap=ap, f1=f1, f1_interval=interval)


def _difference(name: str, figures: Sequence[ClassFigures | None]) -> ClassDifference:
    ap, f1 = (tuple(None if one is None else getattr(one, figure) for one in figures) for figure in ("ap", "f1"))
    return ClassDifference(
        class_name=name,
        ap=ap,
        ap_gain=tuple(_less(one, ap[0]) for one in ap),
        f1=f1,
        f1_gain=tuple(_less(one, f1[0]) for one in f1),
    )


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other
