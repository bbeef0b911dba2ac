"""Precision and recall from matches, by COCO's protocol; pycocotools' ``accumulate`` is the source."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from schemas.evaluations import Figures, rates
from workers.evaluation.matching import NOTHING, Bools, Encounters, Floats, Ints, Matches, Objects, matches

THRESHOLDS: Final[Floats] = np.linspace(0.5, 0.95, 10)
RECALLS: Final[Floats] = np.linspace(0.0, 1.0, 101)
AT_50: Final = 0
AT_75: Final = 5
AREAS: Final = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, float("inf"))}
MEANS: Final = (
    *("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ap_voc", "ap_boxes"),
    *("ar", "ar_1", "ar_10", "ar_small", "ar_medium", "ar_large", "accuracy", "iou"),
)
COUNTS: Final = ("ground_truths", "predictions", "true_positives", "false_positives", "false_negatives")


class Judged(NamedTuple):
    """What became of the predictions of a class that were kept, at each threshold: best first on each image."""

    score: Floats
    rank: Ints
    hit: Bools
    """Of shape (thresholds, kept): whether each met a ground truth that had to be found."""
    counted: Bools
    """Of the same shape: whether each counts at all."""
    here: Bools
    """Whether each is on an image that is looked at."""
    total: int
    """How many ground truths had to be found."""


class Curves(NamedTuple):
    """By threshold and 101 recalls: the precision, and the score at which it is reached; and the recall reached."""

    precision: Floats
    score: Floats
    reached: Floats


def judged(truths: Objects, predictions: Objects, found: Matches) -> Judged:
    """Return what became of all predictions that were kept."""
    return _judged(truths.optional, np.zeros(len(found.kept), np.bool_), predictions, found)


def shown(whole: Judged, found: Matches, *, optional: Bools, truths: Bools, predictions: Bools) -> Judged:
    """Return a judgement of some images: all objects of an image are shown, or none of them."""
    here = predictions[found.kept]
    total = int(np.count_nonzero(~optional & truths))
    return Judged(whole.score, whole.rank, whole.hit & here, whole.counted & here, here, total)


def class_figures(whole: Judged, *, confidence: float, curves: Curves | None = None) -> Figures:
    """Return the figures of one class; the first rows are COCO's thresholds, the last the one marked.

    Images are in the order of their numbers, which decides between predictions of equal score. The curves need not be
    given; who has them saves time.
    """
    sure = whole.score >= confidence
    hits = int(np.count_nonzero(whole.hit[-1] & sure))
    misses = int(np.count_nonzero(whole.counted[-1] & ~whole.hit[-1] & sure))
    counts: dict[str, Any] = {
        "ground_truths": whole.total,
        "predictions": int(np.count_nonzero(whole.here)),
        "true_positives": hits,
        "false_positives": misses,
        "false_negatives": whole.total - hits,
    }
    if not whole.total:
        return Figures(**rates(hits, misses, whole.total), **counts)
    curves = curves or curves_of(whole)
    best_f1, best_confidence = _best(whole)
    return Figures(
        ap=float(curves.precision.mean()),
        ap50=float(curves.precision[AT_50].mean()),
        ap75=float(curves.precision[AT_75].mean()),
        ar=float(curves.reached.mean()),
        ar_1=_recall_of_first(whole, 1),
        ar_10=_recall_of_first(whole, 10),
        best_f1=best_f1,
        best_confidence=best_confidence,
        **rates(hits, misses, whole.total),
        **counts,
    )


def area_figures(truths: Objects, predictions: Objects, met: Encounters) -> dict[str, float | None]:
    """Return AP and AR of small, medium and large objects; None where there are none."""
    figures: dict[str, float | None] = {}
    for name, (least, greatest) in AREAS.items():
        optional = truths.optional | (truths.area < least) | (truths.area > greatest)
        if optional.all():
            continue
        outside = (predictions.area < least) | (predictions.area > greatest)
        found = matches(met, optional=optional, thresholds=THRESHOLDS)
        curves = _curves(_judged(optional, outside[met.kept], predictions, found), len(THRESHOLDS))
        figures |= {f"ap_{name}": float(curves.precision.mean()), f"ar_{name}": float(curves.reached.mean())}
    return figures


def voc_figure(truths: Objects, predictions: Objects, met: Encounters) -> float | None:
    """Return AP at IoU 0.5 by the protocol of Pascal VOC 2010; None where nothing has to be found.

    Each prediction, in descending order of score over all images, stands for the ground truth it overlaps most: the
    first hits, others miss; those of difficult ones do not count. Boxes are taken as they are, not a pixel larger.
    """
    easy = ~(truths.optional | truths.difficult)
    total = int(np.count_nonzero(easy))
    if not total:
        return None
    order = np.argsort(-predictions.score[met.kept], kind="stable")
    target = _nearest(met)[order]
    counted = (target == NOTHING) | easy[target]
    first = np.zeros(len(target), np.bool_)
    first[np.unique(target, return_index=True)[1]] = True
    hit = first & (target != NOTHING) & counted
    hits, misses = np.cumsum(hit), np.cumsum(counted & ~hit)
    precision = hits / np.maximum(1, hits + misses)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(hits / total, prepend=0.0) * envelope))


def mean_figures(figures: Sequence[Figures]) -> Figures:
    """Return the mean over the classes that have ground truths, and the sums of all counts."""

    def mean(name: str) -> float | None:
        measured = [value for one in figures if (value := getattr(one, name)) is not None]
        return float(np.mean(measured)) if measured else None

    def total(name: str) -> int:
        return sum(getattr(one, name) for one in figures)

    counts: dict[str, Any] = {name: total(name) for name in COUNTS}
    return Figures(
        **dict[str, Any]((name, mean(name)) for name in MEANS),
        **rates(counts["true_positives"], counts["false_positives"], counts["ground_truths"]),
        **counts,
    )


def curves_of(whole: Judged) -> Curves:
    """Return the curves at COCO's thresholds, of a class with ground truths."""
    return _curves(whole, len(whole.hit) - 1)


def _judged(optional: Bools, outside: Bools, predictions: Objects, found: Matches) -> Judged:
    met = found.met != NOTHING
    ignored = np.where(met, optional[found.met], outside) if len(optional) else np.where(met, met, outside)
    total = int(np.count_nonzero(~optional))
    here = np.ones(len(found.kept), np.bool_)
    return Judged(predictions.score[found.kept], found.rank, met & ~ignored, ~ignored, here, total)


def _curves(whole: Judged, rows: int) -> Curves:
    order = np.argsort(-whole.score, kind="stable")
    score = whole.score[order]
    shape = (rows, len(RECALLS))
    curves = Curves(np.zeros(shape), np.zeros(shape), np.zeros(rows))
    for row in range(rows):
        hits = np.cumsum(whole.hit[row, order], dtype=np.float64)
        misses = np.cumsum((whole.counted[row] & ~whole.hit[row])[order], dtype=np.float64)
        recall = hits / whole.total
        exact = hits / (misses + hits + np.spacing(1))
        envelope = np.maximum.accumulate(exact[::-1])[::-1]
        at = np.searchsorted(recall, RECALLS, side="left")
        within = at < len(envelope)
        curves.precision[row, within] = envelope[at[within]]
        curves.score[row, within] = score[at[within]]
        curves.reached[row] = recall[-1] if len(recall) else 0.0
    return curves


def _recall_of_first(whole: Judged, count: int) -> float:
    found = np.count_nonzero(whole.hit[:-1] & (whole.rank < count), axis=1)
    return float(np.mean(found / whole.total))


def _best(whole: Judged) -> tuple[float, float | None]:
    """Return the greatest F1 at the marked threshold, and the score from which predictions have to be taken for it."""
    counted = np.flatnonzero(whole.counted[-1])
    order = counted[np.argsort(-whole.score[counted], kind="stable")]
    score, hits = whole.score[order], np.cumsum(whole.hit[-1, order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + whole.total)
    # Predictions of equal score are taken together.
    last = np.append(np.diff(score) != 0, [True])[: len(score)]
    if not len(order):
        return 0.0, None
    best = int(np.argmax(np.where(last, f1, -1.0)))
    return float(f1[best]), float(score[best])


def _nearest(met: Encounters) -> Ints:
    """Return the ground truth that each kept prediction overlaps most, by IoU 0.5 at least; of equals the first."""
    pairs, target = met.pairs, np.full(len(met.kept), NOTHING, np.int64)
    enough = np.flatnonzero(pairs.overlap >= THRESHOLDS[AT_50])
    chooser = np.repeat(np.arange(len(met.kept)), np.diff(pairs.first))[enough]
    order = np.lexsort((enough, -pairs.overlap[enough], chooser))
    chosen, place = np.unique(chooser[order], return_index=True)
    target[chosen] = pairs.truth[enough[order[place]]]
    return target
