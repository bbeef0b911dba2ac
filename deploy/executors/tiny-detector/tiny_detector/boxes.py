"""Boxes as corners (left, top, right, bottom): overlap, suppression and the offsets that refine them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
FARTHEST = 1.0  # a refinement moves a side by at most e, or the centre by one window


def overlaps(some: Floats, others: Floats) -> Floats:
    """Return the intersection over union of each of N boxes with each of M, N x M."""
    shared = _shared(some, others, 0) * _shared(some, others, 1)
    union = _areas(some)[:, None] + _areas(others)[None, :] - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float32)


def kept_by_suppression(boxes: Floats, scores: Floats, *, iou: float, most: int) -> list[int]:
    """Return at most `most` indexes, best score first, none of whose boxes overlap another by more than `iou`."""
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(order) and len(kept) < most:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        order = rest[overlaps(boxes[best : best + 1], boxes[rest])[0] <= iou]
    return kept


def squares(boxes: Floats) -> Floats:
    """Return the smallest square around each box, with the same centre."""
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.hstack([centre - half, centre + half])


def offsets(windows: Floats, boxes: Floats) -> Floats:
    """Return how to turn each window into its box: shift of the centre in windows, logarithm of the sides' ratio."""
    (centre, side), (target, goal) = _centred(windows), _centred(boxes)
    return np.hstack([(target - centre) / side, np.log(goal / side)])


def refined(windows: Floats, moves: Floats) -> Floats:
    """Return the windows moved by offsets; the inverse of `offsets` within FARTHEST."""
    centre, side = _centred(windows)
    moves = np.clip(moves, (-1, -1, -3 * FARTHEST, -3 * FARTHEST), FARTHEST).astype(np.float32)
    centre, half = centre + moves[:, :2] * side, side * np.exp(moves[:, 2:]) / 2
    return np.hstack([centre - half, centre + half])


def clipped(boxes: Floats, *, width: float, height: float) -> Floats:
    """Return the part of each box that lies in an image."""
    return np.clip(boxes, 0, np.array([width, height, width, height], np.float32))


def _centred(boxes: Floats) -> tuple[Floats, Floats]:
    half = np.float32(0.5)
    return (boxes[:, :2] + boxes[:, 2:]) * half, boxes[:, 2:] - boxes[:, :2]


def _shared(some: Floats, others: Floats, axis: int) -> Floats:
    """Return how many pixels each pair has in common across (axis 0) or down (axis 1)."""
    low = np.maximum(some[:, None, axis], others[None, :, axis])
    high = np.minimum(some[:, None, axis + 2], others[None, :, axis + 2])
    return np.asarray(np.maximum(high - low, 0))


def _areas(boxes: Floats) -> Floats:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
