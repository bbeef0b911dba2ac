"""What the network says, as boxes on the images as displayed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from torch_detector.average_precision import Detections
from torch_detector.boxes import Floats, Indexes, clipped, kept_by_suppression
from torch_detector.devices import computing_in
from torch_detector.loading import Batch, Batches
from torch_detector.network import Detector, Seen
from torch_detector.settings import DetectionSettings

MOST_RIVALS = 1000  # likeliest pairs of place and class that go into suppression
LEAST_SIDE = 0.5  # pixels that a box must keep inside the image


@dataclass(frozen=True)
class Found:
    """M boxes on one image, best first: corners, class, score, and the share of every class in the score."""

    boxes: Floats
    classes: Indexes
    scores: Floats
    shares: Floats  # M x classes

    @property
    def detections(self) -> Detections:
        """What average precision is computed from."""
        return self.boxes, self.classes, self.scores


def looked_at(
    model: Detector, batches: Batches, settings: DetectionSettings, *, device: torch.device, kind: torch.dtype
) -> Iterator[tuple[Batch, Seen, list[Found]]]:
    """Yield every batch with what the network sees in it and the boxes of each image; raise ImageError."""
    model.eval()
    for batch in batches.epoch():
        with torch.inference_mode(), computing_in(kind, device):
            seen = model(batch.normalised(device))
        yield batch, seen, found(seen, batch, settings)


def found(seen: Seen, batch: Batch, settings: DetectionSettings) -> list[Found]:
    """Return the boxes of each image of a batch, at most `max_boxes`, in pixels of the image as displayed."""
    # How likely the class is, times how well the box will fit.
    shares = torch.sigmoid(seen.logits) * torch.sigmoid(seen.quality)[..., None]
    return [
        _found(shares[row], seen.boxes[row], batch.shrunk[row], batch.sizes[row], settings)
        for row in range(len(batch.sizes))
    ]


def _found(
    shares: Tensor, boxes: Tensor, shrunk: tuple[float, float], size: tuple[int, int], settings: DetectionSettings
) -> Found:
    likely = shares.flatten()
    scores, pairs = likely.topk(min(MOST_RIVALS, len(likely)))
    pairs = pairs[scores > settings.conf_threshold]
    rows, classes = pairs // shares.shape[1], pairs % shares.shape[1]
    corners = boxes[rows].cpu().numpy() / np.array(shrunk * 2, np.float32)
    corners = clipped(corners, width=size[0], height=size[1])
    of_class, all_shares = classes.cpu().numpy(), shares[rows].cpu().numpy()
    real = np.flatnonzero((corners[:, 2:] - corners[:, :2]).min(axis=1, initial=np.inf) > LEAST_SIDE)
    kept = real[kept_by_suppression(corners[real], of_class[real], iou=settings.nms_iou, most=settings.max_boxes)]
    best = all_shares[kept, of_class[kept]]
    return Found(corners[kept], of_class[kept], best, all_shares[kept])
