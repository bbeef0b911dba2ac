"""Which windows teach: those on labelled boxes, some of the background, and background mistaken for objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tiny_detector.annotations import Truth
from tiny_detector.boxes import Floats, offsets, overlaps, squares
from tiny_detector.windows import Pyramid

BEST_WINDOW_IOU = 0.3  # a box's best window counts as on it from here
BACKGROUND_IOU = 0.35
CERTAIN = 0.95  # background that is recognised this surely teaches nothing

Indexes = NDArray[np.int64]


@dataclass(frozen=True)
class Positives:
    """Windows on labelled boxes: their features, classes and the offsets to the boxes."""

    features: Floats
    classes: Indexes
    offsets: Floats


def positives(windows: Pyramid, truth: Truth, *, least_iou: float, most_per_box: int) -> Positives:
    """Return the windows that overlap the square around a box enough, and each box's best window if it is any good."""
    iou = overlaps(windows.boxes, squares(truth.boxes))
    rows, owners = _owned(iou, least_iou=least_iou, most_per_box=most_per_box)
    moves = offsets(windows.boxes[rows], truth.boxes[owners])
    return Positives(windows.features_at(rows), truth.classes[owners], moves)


def background(windows: Pyramid, truth: Truth) -> Indexes:
    """Return the windows that hardly overlap the square around any box."""
    iou = overlaps(windows.boxes, squares(truth.boxes))
    return np.flatnonzero(iou.max(axis=1, initial=0) < BACKGROUND_IOU)


def drawn(candidates: Indexes, *, count: int, rng: np.random.Generator) -> Indexes:
    """Return some of the windows at random."""
    return np.sort(rng.choice(candidates, min(count, len(candidates)), replace=False))


def hardest(candidates: Indexes, background_share: Floats, *, count: int) -> Indexes:
    """Return the windows least taken for background, without those that are taken for it almost surely."""
    mistaken = candidates[background_share[candidates] < CERTAIN]
    return mistaken[np.argsort(background_share[mistaken], kind="stable")[:count]]


def _owned(iou: Floats, *, least_iou: float, most_per_box: int) -> tuple[Indexes, Indexes]:
    pairs: dict[int, int] = {}
    for owner in range(iou.shape[1]):
        best = np.argsort(-iou[:, owner], kind="stable")[:most_per_box]
        enough = iou[best, owner] >= np.where(np.arange(len(best)) == 0, BEST_WINDOW_IOU, least_iou)
        for row in best[enough]:
            if iou[row, owner] >= iou[row].max():
                pairs.setdefault(int(row), owner)
    return np.array(list(pairs), np.int64), np.array(list(pairs.values()), np.int64)
