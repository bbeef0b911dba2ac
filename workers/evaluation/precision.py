"""Precision and recall from matches, by COCO's protocol; pycocotools' ``accumulate`` is the source."""

from typing import Final

import numpy as np

from schemas.evaluations import Figures
from workers.evaluation.matching import NOTHING, Bools, Floats, Matches, Objects

THRESHOLDS: Final[Floats] = np.linspace(0.5, 0.95, 10)
RECALLS: Final[Floats] = np.linspace(0.0, 1.0, 101)
AT_50: Final = 0
AT_75: Final = 5


def class_figures(
    truths: Objects,
    predictions: Objects,
    matches: Matches,
    *,
    confidence: float,
    truths_shown: Bools | None = None,
    predictions_shown: Bools | None = None,
) -> Figures:
    """Return the figures of one class; the first rows of the matches are COCO's thresholds, the last the one marked.

    With ``…_shown``, only those objects count (all of an image, or none of it). Images are in the order of their
    numbers, which decides between predictions of equal score.
    """
    kept = matches.kept
    shown = np.ones(len(kept), np.bool_) if predictions_shown is None else predictions_shown[kept]
    real = ~truths.crowd if truths_shown is None else ~truths.crowd & truths_shown
    score = predictions.score[kept]
    total = int(np.count_nonzero(real))
    ignored = (matches.met != NOTHING) & truths.crowd[matches.met] if len(truths.crowd) else matches.met != NOTHING
    counted = ~ignored & shown
    hit = (matches.met != NOTHING) & counted
    sure = score >= confidence
    true_positives = int(np.count_nonzero(hit[-1] & sure))
    counts = {
        "ground_truths": total,
        "predictions": int(np.count_nonzero(shown)),
        "true_positives": true_positives,
        "false_positives": int(np.count_nonzero(counted[-1] & ~hit[-1] & sure)),
        "false_negatives": total - true_positives,
    }
    if not total:
        return Figures(**counts)
    precision, recall = _curves(hit[:-1], counted[:-1], score, total)
    return Figures(
        ap=float(precision.mean()),
        ap50=float(precision[AT_50].mean()),
        ap75=float(precision[AT_75].mean()),
        ar=float(recall.mean()),
        **counts,
    )


def mean_figures(figures: list[Figures]) -> Figures:
    """Return the mean over the classes that have ground truths, and the sums of all counts."""
    measured = [one for one in figures if one.ap is not None]

    def mean(name: str) -> float | None:
        return float(np.mean([getattr(one, name) for one in measured])) if measured else None

    return Figures(
        ap=mean("ap"),
        ap50=mean("ap50"),
        ap75=mean("ap75"),
        ar=mean("ar"),
        ground_truths=sum(one.ground_truths for one in figures),
        predictions=sum(one.predictions for one in figures),
        true_positives=sum(one.true_positives for one in figures),
        false_positives=sum(one.false_positives for one in figures),
        false_negatives=sum(one.false_negatives for one in figures),
    )


def _curves(hit: Bools, counted: Bools, score: Floats, total: int) -> tuple[Floats, Floats]:
    """Return precision at 101 recalls, of shape (thresholds, 101), and the recall reached, of shape (thresholds,)."""
    order = np.argsort(-score, kind="stable")
    precision, reached = np.zeros((len(hit), len(RECALLS))), np.zeros(len(hit))
    for row in range(len(hit)):
        hits = np.cumsum(hit[row, order], dtype=np.float64)
        misses = np.cumsum((counted[row] & ~hit[row])[order], dtype=np.float64)
        recall = hits / total
        exact = hits / (misses + hits + np.spacing(1))
        envelope = np.maximum.accumulate(exact[::-1])[::-1]
        at = np.searchsorted(recall, RECALLS, side="left")
        within = at < len(envelope)
        precision[row, within] = envelope[at[within]]
        reached[row] = recall[-1] if len(recall) else 0.0
    return precision, reached
