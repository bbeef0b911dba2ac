"""What mining wants to know of an image: how undecided the network is on it, and what it looks like to the network."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from torch_detector.boxes import Floats
from torch_detector.detect import Found
from torch_detector.loading import Batch
from torch_detector.network import Detector

SMALL = 1e-12


def undecided(found: Found) -> float:
    """Return the entropy of the most undecided box of an image, 0 to 1; 0 without boxes."""
    return float(entropies(found.shares).max(initial=0))


def entropies(shares: Floats) -> Floats:
    """Return how undecided each row is between the classes and the background, 0 to 1.

    The shares of the classes need not add up to one: what they lack is the background's, what is too much is scaled.
    """
    background = np.maximum(1 - shares.sum(axis=1, keepdims=True), 0)
    whole = np.hstack([shares, background])
    whole = whole / whole.sum(axis=1, keepdims=True)
    logs = np.log(np.maximum(whole, SMALL))
    return np.asarray(-(whole * logs).sum(axis=1) / np.log(whole.shape[1]), np.float32)


def embeddings(features: tuple[Tensor, ...], batch: Batch, model: Detector) -> Floats:
    """Return for each image the mean of every feature over the image, level by level; what pads it does not count."""
    rows = [
        torch.cat(
            [_mean(level[row], stride, shown) for level, stride in zip(features, model.shape.strides, strict=True)]
        )
        for row, shown in enumerate(_shown(batch))
    ]
    return np.asarray(torch.stack(rows).float().cpu().numpy(), np.float32)


def _shown(batch: Batch) -> list[tuple[float, float]]:
    """Return the pixels of the canvas that each image covers, across and down."""
    return [
        (width * across, height * down)
        for (width, height), (across, down) in zip(batch.sizes, batch.shrunk, strict=True)
    ]


def _mean(features: Tensor, stride: int, shown: tuple[float, float]) -> Tensor:
    across, down = (max(1, round(length / stride)) for length in shown)
    return features[:, :down, :across].float().mean(dim=(1, 2))
