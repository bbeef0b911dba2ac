"""How wrong the network is: focal loss of the classes, GIoU of the boxes, and how well it foretells their overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from torch_detector.network import Places, Seen
from torch_detector.targets import Labels, owners

ALPHA, GAMMA = 0.25, 2.0  # of "Focal Loss for Dense Object Detection", arXiv 1708.02002
BOX_WEIGHT, QUALITY_WEIGHT = 2.0, 0.5
SMALL = 1e-6


class Losses(NamedTuple):
    """The three parts, each a mean over the places where objects are learnt."""

    classes: Tensor
    boxes: Tensor
    quality: Tensor

    @property
    def total(self) -> Tensor:
        """What is made smaller."""
        return self.classes + BOX_WEIGHT * self.boxes + QUALITY_WEIGHT * self.quality


def losses(seen: Seen, labels: Sequence[Labels], places: Places) -> Losses:
    """Return how far what is seen is from the labels of each image."""
    owned = [owners(one, places) for one in labels]
    image, place = torch.nonzero(torch.stack(owned) >= 0, as_tuple=True)
    which = [owner[owner >= 0] for owner in owned]
    wanted = torch.cat([one.boxes[index] for one, index in zip(labels, which, strict=True)])
    classes = torch.cat([one.classes[index] for one, index in zip(labels, which, strict=True)])

    goal = torch.zeros_like(seen.logits)
    goal[image, place, classes] = 1
    count = max(len(image), 1)
    overlap, generalised = ious(seen.boxes[image, place], wanted)
    foretold = functional.binary_cross_entropy_with_logits(
        seen.quality[image, place], overlap.detach(), reduction="sum"
    )
    return Losses(_focal(seen.logits, goal) / count, (1 - generalised).sum() / count, foretold / count)


def ious(some: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Return intersection over union of the pairs, and the same less the share of the hull that neither covers.

    The second is GIoU, arXiv 1902.09630.
    """
    shared = _area(torch.maximum(some[:, :2], others[:, :2]), torch.minimum(some[:, 2:], others[:, 2:]))
    union = _area(some[:, :2], some[:, 2:]) + _area(others[:, :2], others[:, 2:]) - shared + SMALL
    hull = _area(torch.minimum(some[:, :2], others[:, :2]), torch.maximum(some[:, 2:], others[:, 2:])) + SMALL
    return shared / union, shared / union - (hull - union) / hull


def _area(low: Tensor, high: Tensor) -> Tensor:
    return (high - low).clamp(min=0).prod(dim=1)


def _focal(logits: Tensor, goal: Tensor) -> Tensor:
    share = torch.sigmoid(logits)
    missed = share * (1 - goal) + (1 - share) * goal
    weight = (ALPHA * goal + (1 - ALPHA) * (1 - goal)) * missed**GAMMA
    return (weight * functional.binary_cross_entropy_with_logits(logits, goal, reduction="none")).sum()
