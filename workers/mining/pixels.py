"""Features without a model: histograms of the colours and edges of small pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workers.images import orientation_of, turned_upright
from workers.mining.pool import Floats

SIDE: Final = 64
COLOURS: Final = 4
"""Of each of red, green and blue."""
DIRECTIONS: Final = 8
CELLS: Final = 4
"""Across and down."""
DIMENSIONS: Final = COLOURS**3 + CELLS**2 * DIRECTIONS


def pixel_features(paths: Sequence[Path]) -> Floats:
    """Return a row for each image file, of the picture as displayed; zeros for one that cannot be read.

    The first 64 numbers are the roots of the shares of 4 x 4 x 4 colours; the others, for each of 4 x 4 cells, the
    roots of the shares of 8 directions of its edges, weighted by their strength: so distances are Hellinger's.
    """
    return np.array([_features(path) for path in paths], np.float32).reshape(-1, DIMENSIONS)


def _features(path: Path) -> Floats:
    try:
        with Image.open(path) as image:
            image.draft("RGB", (2 * SIDE, 2 * SIDE))
            small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
            small = turned_upright(small, orientation_of(image))
    except Exception:  # noqa: BLE001 - decoders of foreign bytes raise whatever they like, and these were decoded before
        return np.zeros(DIMENSIONS, np.float32)
    pixels = np.asarray(small)
    return np.concatenate([_colours(pixels), _edges(pixels.astype(np.float32).mean(axis=2))])


def _colours(pixels: NDArray[np.uint8]) -> Floats:
    levels = (pixels // (256 // COLOURS)).astype(np.int64)
    numbers = (levels[..., 0] * COLOURS + levels[..., 1]) * COLOURS + levels[..., 2]
    counts = np.bincount(numbers.ravel(), minlength=COLOURS**3)
    return np.asarray(np.sqrt(counts / counts.sum()), np.float32)


def _edges(grey: Floats) -> Floats:
    down, across = np.gradient(grey)
    direction = ((np.arctan2(down, across) % np.pi) / np.pi * DIRECTIONS).astype(np.int64) % DIRECTIONS
    cell = np.arange(SIDE) * CELLS // SIDE
    numbers = (cell[:, None] * CELLS + cell[None, :]) * DIRECTIONS + direction
    strength = np.bincount(numbers.ravel(), weights=np.hypot(down, across).ravel(), minlength=CELLS**2 * DIRECTIONS)
    return np.asarray(np.sqrt(strength / max(float(strength.sum()), 1e-9)), np.float32)
