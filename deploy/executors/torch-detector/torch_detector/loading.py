"""Batches of images for the network, read by processes of their own where that is wanted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from torch_detector.annotations import Truth
from torch_detector.augment import Augmentation, View, augmented, plain
from torch_detector.boxes import Floats, Indexes
from torch_detector.errors import ExecutorError
from torch_detector.targets import Labels

MIDDLE, SPREAD = 0.45 * 255, 0.25 * 255  # of the brightness of photographs

Place = tuple[int, int, int]  # epoch, position in it, index


class Batch(NamedTuple):
    """B images on canvases, and what is known of each."""

    pixels: Tensor  # B x S x S x 3, bytes
    boxes: list[Tensor]
    classes: list[Tensor]
    shrunk: list[tuple[float, float]]
    sizes: list[tuple[int, int]]  # width and height as displayed

    def normalised(self, device: torch.device) -> Tensor:
        """Return what the network is shown: B x 3 x S x S."""
        given = self.pixels.to(device, non_blocking=True).permute(0, 3, 1, 2).contiguous()
        return (given.float() - MIDDLE) / SPREAD

    def labels(self, device: torch.device) -> list[Labels]:
        """Return the labelled boxes of each image on its canvas."""
        return [
            Labels(boxes.to(device, non_blocking=True), classes.to(device, non_blocking=True))
            for boxes, classes in zip(self.boxes, self.classes, strict=True)
        ]


@dataclass(frozen=True)
class Images(Dataset[View]):
    """Images and their boxes, at a working size; changed by lot for training."""

    paths: Sequence[str]
    truths: Sequence[Truth]
    image_size: int
    side: int
    augmentation: Augmentation | None = None
    seed: int = 0

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: Place) -> View | ExecutorError:
        """Return the image as it is shown in an epoch, or why it cannot be."""
        epoch, position, index = place
        path, truth = self.paths[index], self.truths[index]
        try:
            if self.augmentation is None:
                return plain(path, truth, image_size=self.image_size, side=self.side)
            # Drawn for the place in the epoch, so it matters neither who reads it nor when.
            rng = np.random.default_rng((self.seed, epoch, position))
            return augmented(path, truth, image_size=self.image_size, side=self.side, how=self.augmentation, rng=rng)
        except ExecutorError as error:
            return error


class Order:
    """The batches of one epoch after the other: in order, or drawn by seed and epoch."""

    def __init__(self, count: int, batch_size: int, *, seed: int | None, times: Floats | None) -> None:
        self.epoch = 0
        self._count, self._batch_size, self._seed = count, batch_size, seed
        self._times = np.ones(count, np.float32) if times is None else times

    def __len__(self) -> int:
        return math.ceil(self._count / self._batch_size)

    def __iter__(self) -> Iterator[list[Place]]:
        """Yield the places of each batch of the epoch that is set."""
        places = [(self.epoch, position, int(index)) for position, index in enumerate(self._drawn())]
        for start in range(0, self._count, self._batch_size):
            yield places[start : start + self._batch_size]

    def _drawn(self) -> Indexes:
        indexes = np.arange(self._count)
        if self._seed is None:
            return indexes
        rng = np.random.default_rng((self._seed, self.epoch))
        # As many times as wanted on average, scaled so that an epoch has as many images as there are.
        wanted = self._times * (self._count / self._times.sum())
        repeats = np.floor(wanted + rng.random(self._count)).astype(np.int64)
        drawn = rng.permutation(np.repeat(indexes, repeats))
        return np.concatenate([drawn, rng.permutation(self._count)])[: self._count]


class Batches:
    """The batches of some images, epoch by epoch; with a seed shuffled, and each shown so many `times`."""

    def __init__(
        self,
        images: Images,
        *,
        batch_size: int,
        workers: int,
        device: torch.device,
        seed: int | None = None,
        times: Floats | None = None,
    ) -> None:
        self._order = Order(len(images), batch_size, seed=seed, times=times)
        workers = min(workers, len(self._order))
        self._loader = DataLoader(
            images,
            batch_sampler=self._order,
            num_workers=workers,
            collate_fn=_collated,
            pin_memory=device.type == "cuda",
            persistent_workers=workers > 0,
        )

    def __len__(self) -> int:
        return len(self._order)

    def epoch(self, number: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch; raise ImageError naming the file."""
        self._order.epoch = number
        for batch in self._loader:
            if isinstance(batch, ExecutorError):
                raise batch
            yield batch


def _collated(views: Sequence[View | ExecutorError]) -> Batch | ExecutorError:
    for view in views:
        # Handed on, not raised: what is raised in another process comes with all of its traceback for a message.
        if isinstance(view, ExecutorError):
            return view
    shown = [view for view in views if isinstance(view, View)]
    return Batch(
        pixels=torch.from_numpy(np.stack([view.pixels for view in shown])),
        boxes=[torch.from_numpy(view.truth.boxes) for view in shown],
        classes=[torch.from_numpy(view.truth.classes) for view in shown],
        shrunk=[view.shrunk for view in shown],
        sizes=[(view.width, view.height) for view in shown],
    )
