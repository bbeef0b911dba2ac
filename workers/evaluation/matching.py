"""Matching predictions with ground truths by COCO's rules, the images of a class side by side."""

from collections.abc import Callable
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Overlaps = Callable[[Ints, Ints], Floats]
"""Tells how far some predictions agree with some ground truths, pair by pair, from 0 to 1."""

NOTHING: Final = -1
PAIRS_AT_ONCE: Final = 500_000
ALMOST_ONE: Final = 1 - 1e-10
"""COCO asks for no more, whatever the threshold."""


class Objects(NamedTuple):
    """Objects of one class in one layer, sorted by image; on one image in their own order."""

    image: Ints
    boxes: Floats
    """x, y, width, height of each."""
    crowd: Bools
    score: Floats
    area: Floats
    optional: Bools
    """Ground truths that need not be found: crowds, and those without a visible keypoint."""
    difficult: Bools
    """Ground truths that need not be found by the rules of Pascal VOC."""

    @classmethod
    def of_boxes(cls, image: Ints, boxes: Floats, crowd: Bools, score: Floats) -> "Objects":
        """Return objects of which nothing but the boxes is known."""
        return cls(image, boxes, crowd, score, boxes[:, 2] * boxes[:, 3], crowd, np.zeros(len(image), np.bool_))


class Matches(NamedTuple):
    """Which ground truth each prediction met, at each threshold."""

    kept: Ints
    """The predictions that count, best first on each image: at most so many an image as may."""
    rank: Ints
    """The place of each among those of its image, from 0."""
    met: Ints
    """Of shape (thresholds, kept): the number of the ground truth, or -1."""
    overlap: Floats
    """Of the same shape: the IoU of the match; 0 where there is none."""


class _Pairs(NamedTuple):
    """Prediction and ground truth on the same image that overlap enough to be a match, grouped by prediction."""

    first: Ints
    """For each kept prediction, where its pairs start; and one more at the end."""
    truth: Ints
    overlap: Floats


class Encounters(NamedTuple):
    """The predictions that count, and the ground truths that each overlaps enough to match it."""

    kept: Ints
    rank: Ints
    pairs: _Pairs
    crowd: Bools
    """Of the ground truths."""


def match(
    truths: Objects, predictions: Objects, *, thresholds: Floats, at_most: int, measure: Overlaps | None = None
) -> Matches:
    """Return the matches of one class, as pycocotools finds them; ``measure`` tells the IoU, else that of the boxes."""
    least = float(np.min(thresholds, initial=1.0))
    met = encounters(truths, predictions, least=least, at_most=at_most, measure=measure)
    return matches(met, optional=truths.optional, thresholds=thresholds)


def encounters(
    truths: Objects, predictions: Objects, *, least: float, at_most: int, measure: Overlaps | None = None
) -> Encounters:
    """Return which predictions of one class count, at most so many an image, and what they overlap by the least IoU."""
    kept, rank = _kept(predictions, at_most)
    measure = measure or box_overlaps(truths, predictions)
    pairs = _pairs(truths, predictions, kept, least=min(least, ALMOST_ONE), measure=measure)
    return Encounters(kept, rank, pairs, truths.crowd)


def matches(found: Encounters, *, optional: Bools, thresholds: Floats) -> Matches:
    """Return who takes whom.

    On each image, predictions choose in descending order of score (of equals, the earlier first). Each takes, at each
    threshold on its own, the ground truth with the highest IoU that nobody took (of equals, the later one); where only
    optional ones are left, one of these; and crowd regions may be taken many times.
    """
    shape = (len(thresholds), len(found.kept))
    met, overlap = np.full(shape, NOTHING, np.int64), np.zeros(shape)
    limits = np.minimum(thresholds, ALMOST_ONE)
    taken = np.zeros((len(thresholds), len(found.crowd)), np.bool_)
    # The n-th prediction of every image chooses at once: images do not touch each other.
    order = np.argsort(found.rank, kind="stable")
    rounds = np.split(order, np.flatnonzero(np.diff(found.rank[order])) + 1)
    for chooser in rounds if len(found.kept) else []:
        _choose(chooser, found, optional, limits, taken=taken, met=met, overlap=overlap)
    return Matches(found.kept, found.rank, met, overlap)


def box_overlaps(truths: Objects, predictions: Objects) -> Overlaps:
    """Return what tells the IoU of boxes."""
    return lambda found, expected: overlaps(predictions.boxes[found], truths.boxes[expected], truths.crowd[expected])


def _kept(predictions: Objects, at_most: int) -> tuple[Ints, Ints]:
    order = np.lexsort((-predictions.score, predictions.image))
    image = predictions.image[order]
    starts = np.flatnonzero(np.diff(image, prepend=NOTHING - 1))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    within = rank < at_most
    return order[within], rank[within]


def _pairs(truths: Objects, predictions: Objects, kept: Ints, *, least: float, measure: Overlaps) -> _Pairs:
    start = np.searchsorted(truths.image, predictions.image[kept], side="left")
    counts = np.searchsorted(truths.image, predictions.image[kept], side="right") - start
    ends = np.cumsum(counts)
    found = []
    # In pieces, so that images crowded with objects do not take all memory.
    cuts = [0, *np.searchsorted(ends, np.arange(PAIRS_AT_ONCE, ends[-1] if len(ends) else 0, PAIRS_AT_ONCE)), len(kept)]
    for low, high in pairwise(cuts):
        part = np.repeat(np.arange(low, high), counts[low:high])
        offset = np.arange(len(part)) - np.repeat(
            ends[low:high] - counts[low:high] - _before(ends, low), counts[low:high]
        )
        truth = start[part] + offset
        overlap = measure(kept[part], truth)
        enough = overlap >= least
        found.append((part[enough], truth[enough], overlap[enough]))
    chooser, truth, overlap = (np.concatenate(column) for column in zip(*found, strict=True))
    return _Pairs(np.searchsorted(chooser, np.arange(len(kept) + 1)), truth, overlap)


def _before(ends: Ints, position: int) -> int:
    return int(ends[position - 1]) if position else 0


def overlaps(boxes: Floats, others: Floats, crowd: Bools) -> Floats:
    """Return the IoU of boxes pair by pair; with a crowd region, the share of the box that lies in it."""
    right = np.minimum(boxes[:, 0] + boxes[:, 2], others[:, 0] + others[:, 2])
    bottom = np.minimum(boxes[:, 1] + boxes[:, 3], others[:, 1] + others[:, 3])
    width = right - np.maximum(boxes[:, 0], others[:, 0])
    height = bottom - np.maximum(boxes[:, 1], others[:, 1])
    shared = np.where((width > 0) & (height > 0), width * height, 0.0)
    area = boxes[:, 2] * boxes[:, 3]
    united = np.where(crowd, area, area + others[:, 2] * others[:, 3] - shared)
    return np.divide(shared, united, out=np.zeros_like(shared), where=shared > 0)


def _choose(
    chooser: Ints, found: Encounters, optional: Bools, limits: Floats, *, taken: Bools, met: Ints, overlap: Floats
) -> None:
    pairs = found.pairs
    first, counts = pairs.first[chooser], np.diff(pairs.first)[chooser]
    chooser, first, counts = chooser[counts > 0], first[counts > 0], counts[counts > 0]
    if not len(chooser):
        return
    starts = np.cumsum(counts) - counts
    flat = np.arange(int(counts.sum())) + np.repeat(first - starts, counts)
    truth, iou = pairs.truth[flat], pairs.overlap[flat]
    is_crowd = found.crowd[truth]
    # An order in which COCO's choice is the greatest: what has to be found first, then by IoU, then the later one.
    place = np.empty(len(flat), np.int64)
    place[np.lexsort((np.arange(len(flat)), iou, ~optional[truth]))] = np.arange(len(flat))
    back = np.argsort(place)
    for row, limit in enumerate(limits):
        free = (iou >= limit) & (is_crowd | ~taken[row, truth])
        best = np.maximum.reduceat(np.where(free, place, NOTHING), starts)
        lucky = best != NOTHING
        chosen = back[best[lucky]]
        met[row, chooser[lucky]] = truth[chosen]
        overlap[row, chooser[lucky]] = iou[chosen]
        taken[row, truth[chosen]] = True
