"""Synthetic photographs: handwritten digits blended into crops of real backgrounds, with their exact boxes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]

SIDE = 128
WHITE = 255
INK = 0.25  # alpha from which a pixel belongs to the digit's box
GAP = 2  # pixels kept free between two boxes
TRIES = 30


@dataclass(frozen=True)
class Box:
    """Pixels from the top left: the ink covers columns x to x + width - 1."""

    name: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Digit:
    """One digit to be drawn: its opacity, top left corner, and how it differs from what lies below it."""

    name: str
    alpha: Floats
    x: int
    y: int
    contrast: float
    tint: Floats

    def box(self) -> Box:
        """Return the tight box of the ink."""
        rows, columns = np.nonzero(self.alpha > INK)
        width, height = int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1
        return Box(self.name, self.x + int(columns.min()), self.y + int(rows.min()), width, height)


@dataclass(frozen=True)
class Crop:
    """A square of a photograph, how it is lit and whether it is mirrored."""

    photograph: int
    left: int
    top: int
    side: int
    mirrored: bool
    brightness: float


@dataclass(frozen=True)
class Scene:
    """A background and what is drawn on it."""

    crop: Crop
    digits: tuple[Digit, ...]


def drawn_crop(photographs: list[Floats], *, rng: np.random.Generator) -> Crop:
    """Return a random crop of 100 to 200 pixels of one of the photographs."""
    index = int(rng.integers(len(photographs)))
    height, width = photographs[index].shape[:2]
    side = int(rng.integers(100, 201))
    left, top = int(rng.integers(width - side + 1)), int(rng.integers(height - side + 1))
    return Crop(index, left, top, side, bool(rng.integers(2)), float(rng.uniform(0.7, 1.2)))


def placed(glyphs: list[tuple[str, Floats]], *, rng: np.random.Generator) -> tuple[Digit, ...]:
    """Return the glyphs (8 x 8, 0 to 1) enlarged and placed without overlap; one that finds no room is smaller."""
    digits: list[Digit] = []
    for name, glyph in glyphs:
        sides = [int(rng.integers(17, 36)), 17]
        spots = (_at_random(name, glyph, side=side, rng=rng) for side in sides for _ in range(TRIES))
        free = (spot for spot in spots if not any(_overlap(spot.box(), other.box()) for other in digits))
        digits += [spot for spot in [next(free, None)] if spot]
    return tuple(digits)


def near_duplicate(scene: Scene, *, photographs: list[Floats], rng: np.random.Generator) -> Scene:
    """Return the scene as a burst of a camera would see it again: moved by a pixel, lit a little differently."""
    height, width = photographs[scene.crop.photograph].shape[:2]
    crop = replace(
        scene.crop,
        left=int(np.clip(scene.crop.left + rng.integers(-1, 2), 0, width - scene.crop.side)),
        top=int(np.clip(scene.crop.top + rng.integers(-1, 2), 0, height - scene.crop.side)),
        brightness=scene.crop.brightness * float(rng.uniform(0.97, 1.03)),
    )
    return Scene(crop, tuple(_nudged(digit, rng=rng) for digit in scene.digits))


def render(scene: Scene, *, photographs: list[Floats], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the scene as SIDE x SIDE x 3 pixels with sensor noise, so no two renderings are equal."""
    canvas = _background(scene.crop, photographs[scene.crop.photograph])
    for digit in scene.digits:
        side = len(digit.alpha)
        area = canvas[digit.y : digit.y + side, digit.x : digit.x + side]
        area += digit.alpha[..., None] * (_ink(digit, area.mean(axis=(0, 1))) - area)
    canvas += rng.normal(0, 4, canvas.shape).astype(np.float32)
    return np.clip(np.rint(canvas), 0, WHITE).astype(np.uint8)


def _ink(digit: Digit, below: Floats) -> Floats:
    """Return the digit's colour: lighter or darker as drawn, the other way where there is no room for that."""
    room = 0 <= float(below.mean()) + digit.contrast <= WHITE
    return below + (digit.contrast if room else -digit.contrast) + digit.tint


def _at_random(name: str, glyph: Floats, *, side: int, rng: np.random.Generator) -> Digit:
    alpha = np.asarray(Image.fromarray(glyph).resize((side, side), Image.Resampling.BICUBIC))
    x, y = (int(value) for value in rng.integers(0, SIDE - side + 1, 2))
    contrast, tint = float(rng.choice([-1, 1]) * rng.uniform(60, 130)), rng.uniform(-25, 25, 3)
    return Digit(name, np.clip(alpha, 0, 1), x, y, contrast, tint.astype(np.float32))


def _overlap(one: Box, two: Box) -> bool:
    across = one.x < two.x + two.width + GAP and two.x < one.x + one.width + GAP
    return across and one.y < two.y + two.height + GAP and two.y < one.y + one.height + GAP


def _nudged(digit: Digit, *, rng: np.random.Generator) -> Digit:
    room = SIDE - len(digit.alpha)
    step = np.rint(rng.uniform(-1.5, 1.5, 2)).astype(int)
    return replace(digit, x=int(np.clip(digit.x + step[0], 0, room)), y=int(np.clip(digit.y + step[1], 0, room)))


def _background(crop: Crop, photograph: Floats) -> Floats:
    square = photograph[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side]
    image = Image.fromarray(square.astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, np.float32) * crop.brightness
    return np.ascontiguousarray(pixels[:, ::-1] if crop.mirrored else pixels)
