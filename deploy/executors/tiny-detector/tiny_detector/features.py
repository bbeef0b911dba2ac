"""Cells of gradient directions: what the detector sees of an image."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from tiny_detector.boxes import Floats

CELL = 4
DIRECTIONS = 9
CONTRAST_FLOOR = 150.0  # gradient energy (square root) below which a neighbourhood counts as flat
CLIP = 0.4


def cell_grid(grey: Image.Image, *, pad: int, least: int) -> Floats:
    """Return cells (rows x columns x DIRECTIONS) of a grey image, its edges repeated by `pad` pixels or up to `least`.

    Each pixel's gradient strength goes to the two nearest of nine unsigned directions, and each cell is divided by
    the energy of its 3 x 3 neighbours, after Dalal and Triggs, Histograms of Oriented Gradients, 2005.
    """
    pixels = np.asarray(grey, np.float32)
    missing = [max(0, least - side - 2 * pad) for side in pixels.shape]
    pixels = np.pad(pixels, [(pad, pad + more) for more in missing], mode="edge")
    cells = _histograms(pixels)
    shares: Floats = np.minimum(cells / _neighbourhood(cells)[..., None], np.float32(CLIP))
    return shares


def _histograms(pixels: Floats) -> Floats:
    rows, columns = pixels.shape[0] // CELL * 2, pixels.shape[1] // CELL * 2
    half = CELL // 2
    across, down = _gradients(pixels, rows * half, columns * half)
    strength = np.sqrt(across * across + down * down)
    turn = np.arctan2(down, across) * np.float32(DIRECTIONS / np.pi) + np.float32(DIRECTIONS)
    lower = turn.astype(np.int32)
    share = turn - lower
    # One empty half cell around all of them, where the outermost cells find their missing neighbours.
    shape = rows + 2, columns + 2, DIRECTIONS
    row, column = (np.arange(count * half) // half + 1 for count in (rows, columns))
    cell = np.add.outer(row * shape[1], column) * DIRECTIONS
    index = np.concatenate([cell + lower % DIRECTIONS, cell + (lower + 1) % DIRECTIONS], axis=None)
    upper = strength * share
    sums = np.bincount(index, np.concatenate([strength - upper, upper], axis=None), math.prod(shape))
    halves = sums.astype(np.float32).reshape(shape)
    return _gathered(_gathered(halves).swapaxes(0, 1)).swapaxes(0, 1)


def _gathered(halves: Floats) -> Floats:
    """Return cells from half cells along the first axis: each takes its own two by 3/4, the next on each side by 1/4.

    So what lies near a border counts for both sides, and moving an object by a pixel changes little.
    """
    inner, outer = np.float32(0.75), np.float32(0.25)
    return inner * (halves[1:-2:2] + halves[2:-1:2]) + outer * (halves[:-3:2] + halves[3::2])


def _gradients(pixels: Floats, height: int, width: int) -> tuple[Floats, Floats]:
    across, down = np.zeros_like(pixels), np.zeros_like(pixels)
    across[:, 1:-1] = pixels[:, 2:] - pixels[:, :-2]
    down[1:-1] = pixels[2:] - pixels[:-2]
    return across[:height, :width], down[:height, :width]


def _neighbourhood(cells: Floats) -> Floats:
    energy = np.pad((cells * cells).sum(axis=2), 1, mode="edge")
    rows = energy[:-2] + energy[1:-1] + energy[2:]
    total: Floats = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    return np.asarray(np.sqrt(total + np.float32(CONTRAST_FLOOR**2)))
