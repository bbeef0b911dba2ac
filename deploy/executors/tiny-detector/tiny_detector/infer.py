"""What a model sees on the candidates: detections for inference, and what mining needs to rank images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tiny_detector.average_precision import Detections
from tiny_detector.boxes import Floats
from tiny_detector.detect import Found, detect
from tiny_detector.images import Picture, read_picture
from tiny_detector.model import Model
from tiny_detector.monitor import Progress
from tiny_detector.settings import DetectionSettings
from tiny_detector.windows import pyramid

HASH_SIDE = 16


@dataclass(frozen=True)
class View:
    """What is remembered of one image after its pixels and windows are gone."""

    detections: Detections
    listed: NDArray[np.int64]  # which box each detection is
    probabilities: Floats  # boxes x (classes + background)
    embedding: Floats
    fingerprint: NDArray[np.bool_]  # difference hash


def views(paths: Sequence[str], model: Model, settings: DetectionSettings, progress: Progress) -> list[View]:
    """Return a view of each image, in order; raise ImageError."""
    seen = []
    for number, path in enumerate(paths, 1):
        seen.append(_view(read_picture(path, longest=model.image_size), model, settings))
        progress(number / len(paths))
    return seen


def _view(picture: Picture, model: Model, settings: DetectionSettings) -> View:
    found = detect(pyramid(picture, sides=model.sides), model, settings)
    return View(
        detections=found.by_class(min_score=settings.min_score),
        listed=found.listed(min_score=settings.min_score)[0],
        probabilities=found.probabilities,
        embedding=embedding(found),
        fingerprint=difference_hash(picture),
    )


def difference_hash(picture: Picture) -> NDArray[np.bool_]:
    """Return 256 bits, most of which near-duplicates share: which points of a small picture outshine the one before."""
    small = np.asarray(picture.grey.resize((HASH_SIDE + 1, HASH_SIDE)), np.int16)
    return (small[:, 1:] > small[:, :-1]).ravel()


def entropies(probabilities: Floats) -> Floats:
    """Return how undecided each row is, 0 to 1."""
    logs = np.log(np.maximum(probabilities, 1e-12))
    return np.asarray(-(probabilities * logs).sum(axis=1) / np.log(probabilities.shape[1]))


def embedding(found: Found) -> Floats:
    """Return the mean features of the boxes, undecided objects counting most; zeros without boxes."""
    weights = entropies(found.probabilities) * (1 - found.probabilities[:, -1])
    return np.asarray(weights @ found.features / max(float(weights.sum()), 1e-9), np.float32)
