"""Boxes as corners (left, top, right, bottom) in numpy: overlap and suppression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indexes = NDArray[np.int64]


def overlaps(some: Floats, others: Floats) -> Floats:
    """Return the intersection over union of each of N boxes with each of M, N x M."""
    shared = _shared(some, others, 0) * _shared(some, others, 1)
    union = areas(some)[:, None] + areas(others)[None, :] - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float32)


def kept_by_suppression(boxes: Floats, classes: Indexes, *, iou: float, most: int) -> Indexes:
    """Return at most `most` indexes into boxes, best first: none overlaps a better one of its class by more than `iou`.

    The boxes must be given best first.
    """
    rivals = (overlaps(boxes, boxes) > iou) & (classes[:, None] == classes[None, :])
    alive = np.ones(len(boxes), bool)
    kept: list[int] = []
    for index in range(len(boxes)):
        if alive[index]:
            kept.append(index)
            if len(kept) == most:
                break
            alive &= ~rivals[index]
    return np.array(kept, np.int64)


def clipped(boxes: Floats, *, width: float, height: float) -> Floats:
    """Return the part of each box that lies in an image."""
    return np.clip(boxes, 0, np.array([width, height, width, height], np.float32))


def _shared(some: Floats, others: Floats, axis: int) -> Floats:
    """Return how many pixels each pair has in common across (axis 0) or down (axis 1)."""
    low = np.maximum(some[:, None, axis], others[None, :, axis])
    high = np.minimum(some[:, None, axis + 2], others[None, :, axis + 2])
    return np.asarray(np.maximum(high - low, 0))


def areas(boxes: Floats) -> Floats:
    """Return the area of each box."""
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
