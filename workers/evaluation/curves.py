"""Curves of a class: precision by recall, and counts by confidence."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from schemas.evaluations import ClassCurves
from workers.evaluation.matching import Bools, Floats
from workers.evaluation.precision import AT_50, Curves, Judged

# As decimal fractions, so that 0.3 is 0.3.
CONFIDENCES: Final[Floats] = np.arange(101) / 100
DIGITS: Final = 6


def class_curves(name: str, whole: Judged, curves: Curves | None) -> ClassCurves:
    """Return the curves of a class; those by recall only if it has ground truths, and so such curves."""
    counts = {
        "true_positives": _sure(whole, whole.hit[-1]),
        "false_positives": _sure(whole, whole.counted[-1] & ~whole.hit[-1]),
    }
    if curves is None:
        return ClassCurves(class_name=name, ground_truths=0, **counts)
    return ClassCurves(
        class_name=name,
        ground_truths=whole.total,
        precision=_numbers(curves.precision.mean(axis=0)),
        precision50=_numbers(curves.precision[AT_50]),
        confidence50=_numbers(curves.score[AT_50]),
        **counts,
    )


def best_over_all(curves: Sequence[ClassCurves]) -> tuple[float | None, float | None]:
    """Return the greatest F1 of all classes together at one of 101 confidences, and the greatest of these."""
    truths = sum(one.ground_truths for one in curves)
    if not truths:
        return None, None
    hits, misses = (
        np.array([getattr(one, name) for one in curves]).sum(axis=0) for name in ("true_positives", "false_positives")
    )
    f1 = 2 * hits / (hits + misses + truths)
    best = int(np.flatnonzero(f1 == f1.max())[-1])
    return float(f1[best]), float(CONFIDENCES[best])


def _sure(whole: Judged, chosen: Bools) -> tuple[int, ...]:
    score = np.sort(whole.score[chosen])
    return tuple((len(score) - np.searchsorted(score, CONFIDENCES, side="left")).tolist())


def _numbers(values: Floats) -> tuple[float, ...]:
    return tuple(np.round(values, DIGITS).tolist())
