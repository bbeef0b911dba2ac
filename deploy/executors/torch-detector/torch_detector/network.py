"""The detector: a small residual backbone, a feature pyramid, and heads that every level shares."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 3
GROUPS = 8
RARE = 0.01  # how likely an object is at any place before anything is learnt
TYPICAL_SIDE = 4.0  # strides; what a box is before anything is learnt
LARGEST_LOG = 6.0  # of a side over the typical one


class Shape(NamedTuple):
    """All that the weights' shapes depend on."""

    classes: int
    finest_stride: int
    width: int
    depth: int

    @property
    def strides(self) -> tuple[int, ...]:
        """The pixels from one place to the next on each level of the pyramid."""
        return tuple(self.finest_stride * 2**level for level in range(LEVELS))

    def side_of_canvas(self, image_size: int) -> int:
        """Return the side of the square that images are padded to: the coarsest level must divide it."""
        return math.ceil(image_size / self.strides[-1]) * self.strides[-1]


class Places(NamedTuple):
    """Where the network looks: P centres in pixels, and the stride of the level of each."""

    centres: Tensor
    strides: Tensor


class Seen(NamedTuple):
    """What the network says of each place of B images."""

    logits: Tensor  # B x P x classes
    boxes: Tensor  # B x P x 4, corners in pixels of the canvas
    quality: Tensor  # B x P, the logit of the overlap that the box will have
    features: tuple[Tensor, ...]  # of each level, B x C x H x W


class Residual(nn.Module):
    """Two convolutions beside a short cut."""

    def __init__(self, given: int, made: int, *, stride: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(given, made, stride=stride), _convolution(made, made)
        short = given == made and stride == 1
        self.shortcut = nn.Identity() if short else nn.Conv2d(given, made, 1, stride=stride, bias=False)

    def forward(self, given: Tensor) -> Tensor:
        """Return the features of the next layer."""
        return functional.relu(self.second(functional.relu(self.first(given))) + self.shortcut(given))


class Backbone(nn.Module):
    """Halves the picture again and again; returns the last three sizes."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.stem = _convolution(3, shape.width, stride=2)
        self.stages = nn.ModuleList()
        given = shape.width
        for made in self.channels_of(shape):
            blocks = [
                Residual(given, made, stride=2),
                *(Residual(made, made, stride=1) for _ in range(shape.depth - 1)),
            ]
            self.stages.append(nn.Sequential(*blocks))
            given = made

    @staticmethod
    def channels_of(shape: Shape) -> list[int]:
        """Return the channels after each stage, from stride 4 to the coarsest."""
        stages = int(math.log2(shape.strides[-1])) - 1
        return [shape.width * min(2 ** (stage + 1), 8) for stage in range(stages)]

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Return the features at each stride of the pyramid, fine to coarse."""
        made = []
        features = functional.relu(self.stem(pixels))
        for stage in self.stages:
            features = stage(features)
            made.append(features)
        return made[-LEVELS:]


class Pyramid(nn.Module):
    """Brings what coarse levels know to the fine ones."""

    def __init__(self, given: list[int], channels: int) -> None:
        super().__init__()
        self.across = nn.ModuleList(nn.Conv2d(count, channels, 1) for count in given)
        self.smooth = nn.ModuleList(_convolution(channels, channels) for _ in given)

    def forward(self, given: list[Tensor]) -> tuple[Tensor, ...]:
        """Return as many features on each level, fine to coarse."""
        levels = [across(features) for across, features in zip(self.across, given, strict=True)]
        for finer in reversed(range(len(levels) - 1)):
            levels[finer] = levels[finer] + _doubled(levels[finer + 1])
        return tuple(functional.relu(smooth(level)) for smooth, level in zip(self.smooth, levels, strict=True))


class Detector(nn.Module):
    """Says of every place on three levels which object is centred there, and the box of it."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        channels = 2 * shape.width
        self.shape = shape
        self.backbone = Backbone(shape)
        self.pyramid = Pyramid(Backbone.channels_of(shape)[-LEVELS:], channels)
        self.class_tower, self.box_tower = _tower(channels, shape.depth), _tower(channels, shape.depth)
        self.classes = nn.Conv2d(channels, shape.classes, 3, padding=1)
        self.box = nn.Conv2d(channels, 4, 3, padding=1)
        self.quality = nn.Conv2d(channels, 1, 3, padding=1)
        for head in (self.classes, self.box, self.quality):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)
        nn.init.constant_(self.classes.bias, -math.log((1 - RARE) / RARE))

    def forward(self, pixels: Tensor) -> Seen:
        """Return what is seen on B x 3 x S x S pixels, normalised; S is a multiple of the coarsest stride."""
        features = self.pyramid(self.backbone(pixels))
        by_class, by_box = (
            [self.class_tower(level) for level in features],
            [self.box_tower(level) for level in features],
        )
        places = places_of(self.shape, side=pixels.shape[-1], device=pixels.device)
        raw = _flat([self.box(level) for level in by_box]).float()
        return Seen(
            logits=_flat([self.classes(level) for level in by_class]).float(),
            boxes=_boxes(raw, places),
            quality=_flat([self.quality(level) for level in by_box]).float()[..., 0],
            features=features,
        )


def places_of(shape: Shape, *, side: int, device: torch.device | str = "cpu") -> Places:
    """Return the places on a canvas, in the order in which `Detector` speaks of them."""
    centres, strides = [], []
    for stride in shape.strides:
        line = (torch.arange(side // stride, device=device, dtype=torch.float32) + 0.5) * stride
        down, across = torch.meshgrid(line, line, indexing="ij")
        centres.append(torch.stack([across.reshape(-1), down.reshape(-1)], dim=1))
        strides.append(torch.full((len(centres[-1]),), float(stride), device=device))
    return Places(torch.cat(centres), torch.cat(strides))


def _boxes(raw: Tensor, places: Places) -> Tensor:
    stride = places.strides[:, None]
    centre = places.centres + raw[..., :2] * stride
    half = torch.exp(raw[..., 2:].clamp(-LARGEST_LOG, LARGEST_LOG)) * stride * (TYPICAL_SIDE / 2)
    return torch.cat([centre - half, centre + half], dim=-1)


def _flat(levels: list[Tensor]) -> Tensor:
    """Return B x P x C out of a B x C x H x W for each level."""
    return torch.cat([level.flatten(2).transpose(1, 2) for level in levels], dim=1)


def _doubled(features: Tensor) -> Tensor:
    # By repetition: the gradient of an interpolation adds up in any order on a GPU.
    count, channels, height, width = features.shape
    repeated = features[:, :, :, None, :, None].expand(count, channels, height, 2, width, 2)
    return repeated.reshape(count, channels, 2 * height, 2 * width)


def _convolution(given: int, made: int, *, stride: int = 1) -> nn.Sequential:
    # Groups, not batches, are what is normalised: batches are small, and of one image where memory is short.
    convolution = nn.Conv2d(given, made, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(GROUPS, made))


def _tower(channels: int, depth: int) -> nn.Sequential:
    layers = [(_convolution(channels, channels), nn.ReLU()) for _ in range(depth)]
    return nn.Sequential(*(part for layer in layers for part in layer))
