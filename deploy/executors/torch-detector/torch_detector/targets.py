"""Which places must say what: an object is learnt at the places near its centre, on the level for its size."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from torch_detector.network import Places

REACH = 1.5  # strides from the centre of a box, and never out of the box where it is wider than one stride
LARGEST = 8.0  # strides of a level; what is larger is the next level's

NOBODY = -1


class Labels(NamedTuple):
    """The labelled boxes of one image on the canvas: corners (M x 4) and class indexes (M)."""

    boxes: Tensor
    classes: Tensor


def owners(labels: Labels, places: Places) -> Tensor:
    """Return for each place the index of the box that is learnt there, of several the smallest; else NOBODY.

    Every box is learnt somewhere, unless smaller ones have all of its places.
    """
    if not len(labels.boxes):
        return torch.full_like(places.strides, NOBODY, dtype=torch.long)
    sides = labels.boxes[:, 2:] - labels.boxes[:, :2]
    near = _near(labels.boxes, sides, places) & _on_level(sides.amax(dim=1), places.strides)
    area = torch.where(near, sides.prod(dim=1)[None, :], torch.inf)
    smallest, index = area.min(dim=1)
    return torch.where(smallest.isfinite(), index, NOBODY)


def _near(boxes: Tensor, sides: Tensor, places: Places) -> Tensor:
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    away = (places.centres[:, None, :] - centres[None, :, :]).abs()
    stride = places.strides[:, None, None]
    # Half a stride in either direction always reaches a place.
    reach = torch.minimum((sides / 2)[None, :, :].maximum(stride / 2), REACH * stride)
    return (away <= reach).all(dim=2)


def _on_level(side: Tensor, strides: Tensor) -> Tensor:
    finest, coarsest = strides.min(), strides.max()
    most = torch.where(strides == coarsest, torch.inf, LARGEST * strides)
    least = torch.where(strides == finest, 0.0, LARGEST / 2 * strides)
    return (side[None, :] < most[:, None]) & (side[None, :] >= least[:, None])
