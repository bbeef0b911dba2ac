"""The rows that a classifier is fitted to: positives once, background in rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tiny_detector import samples
from tiny_detector.annotations import Truth
from tiny_detector.boxes import Floats
from tiny_detector.detect import class_probabilities
from tiny_detector.errors import DatasetError
from tiny_detector.logistic import fit_classes, fit_offsets
from tiny_detector.model import Model
from tiny_detector.monitor import Progress
from tiny_detector.pyramids import Pyramids
from tiny_detector.samples import Indexes, Positives
from tiny_detector.settings import TrainingSettings
from tiny_detector.windows import Pyramid

# Of 1.3 kB a row: beside the cache they take half a gigabyte at most, copies included.
MOST_POSITIVES, MOST_NEGATIVES, MOST_PER_BOX = 50_000, 100_000, 16
OFFSET_PENALTY = 10.0  # of the ridge regression


class Lessons:
    """What is taught so far, from a fixed list of images."""

    def __init__(
        self, pyramids: Pyramids | Sequence[Pyramid], truths: Sequence[Truth], settings: TrainingSettings
    ) -> None:
        self._pyramids, self._truths, self._settings = pyramids, truths, settings
        self._positives: list[Positives] = []
        self._background: list[Floats] = []
        self._taken: list[Indexes] = [np.zeros(0, np.int64) for _ in truths]
        affordable = MOST_NEGATIVES // ((settings.hard_negative_rounds + 1) * max(1, len(truths)))
        self._quota = max(1, min(settings.negatives_per_image, affordable))

    def begin(self, progress: Progress) -> None:
        """Take all positives and random background; raise ImageError, or DatasetError if no positive is in reach."""
        rng = np.random.default_rng(self._settings.seed)
        boxes = sum(len(truth.classes) for truth in self._truths)
        per_box = max(1, min(MOST_PER_BOX, MOST_POSITIVES // max(1, boxes)))
        for index, truth in enumerate(self._truths):
            windows = self._pyramids[index]
            found = samples.positives(windows, truth, least_iou=self._settings.positive_iou, most_per_box=per_box)
            self._positives.append(found)
            candidates = samples.background(windows, truth)
            self._take(index, windows.features(), samples.drawn(candidates, count=self._quota, rng=rng))
            progress((index + 1) / len(self._truths))
        if not any(len(found.classes) for found in self._positives):
            raise DatasetError("every box is too small or too long: objects need about 10 pixels at image_size")

    def add_mistakes(self, model: Model, progress: Progress) -> int:
        """Take the background that the model takes for objects, and return how many windows that are."""
        before = sum(len(taken) for taken in self._taken)
        for index, truth in enumerate(self._truths):
            windows = self._pyramids[index]
            features = windows.features()
            share = class_probabilities(features, model.classifier)[:, -1]
            candidates = np.setdiff1d(samples.background(windows, truth), self._taken[index])
            self._take(index, features, samples.hardest(candidates, share, count=self._quota))
            progress((index + 1) / len(self._truths))
        return sum(len(taken) for taken in self._taken) - before

    def fitted(self, model: Model) -> Model:
        """Return the model fitted to all rows taken so far, starting from its own coefficients."""
        on_boxes = np.concatenate([found.features for found in self._positives])
        classes = np.concatenate([found.classes for found in self._positives])
        moves = np.concatenate([found.offsets for found in self._positives])
        features = np.concatenate([on_boxes, *self._background])
        labels = np.full(len(features), len(model.class_names), np.int64)
        labels[: len(classes)] = classes
        classifier = fit_classes(
            features,
            labels,
            _weights(labels),
            start=model.classifier,
            penalty_inverse=self._settings.penalty_inverse,
            iterations=self._settings.iterations,
        )
        return replace(model, classifier=classifier, refiner=fit_offsets(on_boxes, moves, penalty=OFFSET_PENALTY))

    def _take(self, index: int, features: Floats, rows: Indexes) -> None:
        self._background.append(features[rows])
        self._taken[index] = np.concatenate([self._taken[index], rows])


def _weights(labels: Indexes) -> Floats:
    """Return a weight for each row: rare classes count more, by the square root of how rare they are."""
    counts = np.bincount(labels)
    present = int((counts > 0).sum())
    return np.sqrt(len(labels) / (present * np.maximum(counts, 1)))[labels].astype(np.float32)
