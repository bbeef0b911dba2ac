"""Mean average precision at IoU 0.5, the figure a training reports for each stage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .annotations import Truth
from .boxes import Floats, overlaps

LEAST_IOU = 0.5

Detections = tuple[Floats, NDArray[np.int64], Floats]  # boxes, class indexes and scores, best first


def mean_average_precision(found: Sequence[Detections], truths: Sequence[Truth]) -> float:
    """Return the mean over the classes in the truth of the area under precision over recall; 0 if there are none."""
    hits = [_hits(boxes, classes, truth) for (boxes, classes, _), truth in zip(found, truths, strict=True)]
    hit = np.concatenate([np.zeros(0, bool), *hits])
    class_of = np.concatenate([np.zeros(0, np.int64), *(classes for _, classes, _ in found)])
    score = np.concatenate([np.zeros(0, np.float32), *(scores for _, _, scores in found)])
    wanted = np.concatenate([np.zeros(0, np.int64), *(truth.classes for truth in truths)])
    order = np.argsort(-score, kind="stable")
    areas = [_area(hit[order][class_of[order] == index], int((wanted == index).sum())) for index in np.unique(wanted)]
    return float(np.mean(areas)) if areas else 0.0


def _hits(boxes: Floats, classes: NDArray[np.int64], truth: Truth) -> NDArray[np.bool_]:
    """Return which detections are right: best first, each takes what it overlaps most of its class and none has yet."""
    iou = overlaps(boxes, truth.boxes) * (classes[:, None] == truth.classes[None, :])
    hits = np.zeros(len(boxes), bool)
    for row in np.flatnonzero((iou >= LEAST_IOU).any(axis=1)):
        best = int(iou[row].argmax())
        if iou[row, best] >= LEAST_IOU:
            hits[row] = True
            iou[:, best] = 0
    return hits


def _area(hits: NDArray[np.bool_], wanted: int) -> float:
    right = np.cumsum(hits)
    precision = right / np.arange(1, len(hits) + 1)
    # The envelope: at each recall the best precision that any equal or higher recall has.
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[hits].sum() / wanted)
