"""What a model finds in an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tiny_detector.boxes import Floats, clipped, kept_by_suppression, refined
from tiny_detector.logistic import softmax
from tiny_detector.model import Model
from tiny_detector.settings import DetectionSettings
from tiny_detector.windows import Pyramid

WINDOWS = 300  # candidates that go into suppression
LEAST_SIDE = 0.5  # pixels that a box must keep inside the image


@dataclass(frozen=True)
class Found:
    """M boxes, each with its probability of every class and, last, of the background, and its features."""

    boxes: Floats
    probabilities: Floats
    features: Floats

    def by_class(self, *, min_score: float) -> tuple[Floats, NDArray[np.int64], Floats]:
        """Return boxes, class indexes and scores, best first: one for every class of a box that is likely enough."""
        rows, classes = self.listed(min_score=min_score)
        return self.boxes[rows], classes, self.probabilities[rows, classes]

    def listed(self, *, min_score: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which box and which class each of these is."""
        rows, classes = np.nonzero(self.probabilities[:, :-1] > min_score)
        order = np.argsort(-self.probabilities[rows, classes], kind="stable")
        return rows[order], classes[order]


def detect(windows: Pyramid, model: Model, settings: DetectionSettings) -> Found:
    """Return the boxes left after refinement and class-agnostic suppression, most object-like first."""
    features = windows.features()
    probabilities = class_probabilities(features, model.classifier)
    objectness = 1 - probabilities[:, -1]
    likely = np.flatnonzero(objectness > settings.min_objectness)
    likely = likely[np.argsort(-objectness[likely], kind="stable")[:WINDOWS]]
    moves = features[likely] @ model.refiner[:-1] + model.refiner[-1]
    boxes = clipped(refined(windows.boxes[likely], moves), width=windows.width, height=windows.height)
    real = (boxes[:, 2:] - boxes[:, :2]).min(axis=1) > LEAST_SIDE
    likely, boxes = likely[real], boxes[real]
    kept = kept_by_suppression(boxes, objectness[likely], iou=settings.nms_iou, most=settings.max_boxes)
    return Found(boxes[kept], probabilities[likely[kept]], features[likely[kept]])


def class_probabilities(features: Floats, classifier: Floats) -> Floats:
    """Return a row for each row of features: a share for every class and, last, for the background."""
    return softmax(features @ classifier[:-1] + classifier[-1])
