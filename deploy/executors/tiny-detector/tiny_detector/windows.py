"""Square windows at a few scales, chosen from the sizes of the training boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tiny_detector.boxes import Floats
from tiny_detector.features import CELL, DIRECTIONS, cell_grid
from tiny_detector.images import Picture

CELLS = 6  # a window's side in cells
OBJECT = 20  # pixels that an object's longer side has in its window of 24
MARGIN = (CELLS * CELL - OBJECT) / 2
PAD = CELL
STEP = 1.22  # from one scale to the next, where there are scales enough
LEAST_SIDE = 10.0  # smaller objects would need more than twofold enlargement
FEATURES = CELLS * CELLS * DIRECTIONS


@dataclass(frozen=True)
class Pyramid:
    """One image as its windows at all scales: where each is in the image, and cells to describe them from."""

    grids: tuple[Floats, ...]
    boxes: Floats
    width: int
    height: int

    @property
    def bytes(self) -> int:
        """Return the memory this takes."""
        return self.boxes.nbytes + sum(grid.nbytes for grid in self.grids)

    def features(self) -> Floats:
        """Return all windows as rows of FEATURES numbers, in the order of `boxes`."""
        return np.concatenate([_rows(grid) for grid in self.grids])

    def features_at(self, indexes: NDArray[np.int64]) -> Floats:
        """Return the rows of some windows."""
        return self.features()[indexes]


def scale_sides(sides: Sequence[float], *, most: int) -> tuple[float, ...]:
    """Return the object sides (working pixels) that windows are made for: from the 5 % to the 95 % quantile."""
    low, high = np.maximum(np.quantile(sides, (0.05, 0.95)), LEAST_SIDE)
    count = min(most, 1 + max(0, round(math.log(high / low) / math.log(STEP))))
    return tuple(float(side) for side in np.geomspace(low, high, count))


def pyramid(picture: Picture, *, sides: Sequence[float]) -> Pyramid:
    """Return an image's windows for objects of the given sides."""
    levels = [_level(picture, OBJECT / side) for side in sides]
    grids, boxes = zip(*levels, strict=True)
    return Pyramid(grids, np.concatenate(boxes), picture.width, picture.height)


def _level(picture: Picture, zoom: float) -> tuple[Floats, Floats]:
    grey = picture.grey
    size = max(1, round(grey.width * zoom)), max(1, round(grey.height * zoom))
    grid = cell_grid(grey.resize(size, Image.Resampling.BILINEAR), pad=PAD, least=CELLS * CELL)
    rows, columns = grid.shape[0] - CELLS + 1, grid.shape[1] - CELLS + 1
    down, across = np.mgrid[:rows, :columns].reshape(2, -1) * CELL - PAD + MARGIN
    corners = np.stack([across, down, across + OBJECT, down + OBJECT], axis=1)
    scale = np.array([picture.width / size[0], picture.height / size[1]] * 2)
    return grid, (corners * scale).astype(np.float32)


def _rows(grid: Floats) -> Floats:
    rows, columns = grid.shape[0] - CELLS + 1, grid.shape[1] - CELLS + 1
    grid = np.ascontiguousarray(grid)
    row, cell, number = grid.strides
    # A window's six cells in a row lie side by side in memory, so this view copies in runs of 54 numbers.
    view = np.lib.stride_tricks.as_strided(
        grid, (rows, columns, CELLS, CELLS * DIRECTIONS), (row, cell, row, number), writeable=False
    )
    return view.reshape(-1, FEATURES)
