"""Training pictures as they are shown: mirrored, zoomed, moved and tinted by a lot drawn for each image and epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from torch_detector.annotations import Truth
from torch_detector.boxes import Floats, areas, clipped
from torch_detector.images import read_picture

GREY = (128, 128, 128)
LEAST_SEEN = 0.3  # of a box; one that is cut off further is no lesson
LEAST_SIDE = 1.0  # pixels


@dataclass(frozen=True)
class Augmentation:
    """How strongly pictures are changed."""

    flip: float
    scale_jitter: float
    colour_jitter: float


@dataclass(frozen=True)
class View:
    """One image on the canvas, with its boxes there, and how to get back to pixels of the image as displayed."""

    pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]  # S x S x 3
    truth: Truth
    shrunk: tuple[float, float]
    width: int
    height: int


def plain(path: str, truth: Truth, *, image_size: int, side: int) -> View:
    """Return the image as it is, at the top left of the canvas."""
    picture = read_picture(path, longest=image_size)
    pixels = _on_canvas(picture.pixels, (0, 0), side)
    scaled = truth.boxes * np.array(picture.shrunk * 2, np.float32)
    return View(pixels, Truth(scaled, truth.classes), picture.shrunk, picture.width, picture.height)


def augmented(
    path: str, truth: Truth, *, image_size: int, side: int, how: Augmentation, rng: np.random.Generator
) -> View:
    """Return the image changed by lot; boxes that are mostly cut off are left out."""
    zoom = math.exp(rng.uniform(-how.scale_jitter, how.scale_jitter))
    picture = read_picture(path, longest=max(1, round(image_size * zoom)))
    pixels, boxes = picture.pixels, truth.boxes * np.array(picture.shrunk * 2, np.float32)
    if rng.random() < how.flip:
        pixels = ImageOps.mirror(pixels)
        boxes = np.stack([pixels.width - boxes[:, 2], boxes[:, 1], pixels.width - boxes[:, 0], boxes[:, 3]], axis=1)
    moved = _moved(pixels.width, side, rng), _moved(pixels.height, side, rng)
    shown = _tinted(_on_canvas(pixels, moved, side), how.colour_jitter, rng)
    seen = _seen(Truth(boxes + np.array(moved * 2, np.float32), truth.classes), side)
    return View(shown, seen, picture.shrunk, picture.width, picture.height)


def _moved(length: int, side: int, rng: np.random.Generator) -> int:
    """Return where a picture begins on the canvas: below zero if it is the longer one."""
    return int(rng.integers(min(0, side - length), max(0, side - length) + 1))


def _on_canvas(pixels: Image.Image, at: tuple[int, int], side: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    canvas = Image.new("RGB", (side, side), GREY)
    canvas.paste(pixels, at)
    return np.array(canvas)


def _tinted(
    pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], strength: float, rng: np.random.Generator
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    brightness, contrast, colour = np.exp(rng.uniform(-strength, strength, 3))
    changed: Floats = pixels.astype(np.float32)
    grey = changed.mean(axis=2, keepdims=True)
    changed = (grey + colour * (changed - grey)) * brightness
    changed = changed.mean() + contrast * (changed - changed.mean())
    return np.clip(changed, 0, 255).astype(np.uint8)


def _seen(truth: Truth, side: int) -> Truth:
    inside = clipped(truth.boxes, width=side, height=side)
    kept = (areas(inside) >= LEAST_SEEN * areas(truth.boxes)) & (
        (inside[:, 2:] - inside[:, :2]).min(axis=1, initial=np.inf) >= LEAST_SIDE
    )
    return Truth(inside[kept].astype(np.float32), truth.classes[kept])
