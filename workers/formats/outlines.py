"""Outlines: of masks, and one for several polygons."""

from collections.abc import Iterator, Sequence
from heapq import nlargest
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.datasets.mask_pixels import counts_of, pixels_of
from storage.datasets.rows import MaskRow

AT_ONCE: Final = 1 << 22
"""Distances computed at a time."""
PARTS_AT_MOST: Final = 256
RUNS_AT_MOST: Final = 200_000
"""A mask with more runs has no outline that anyone could use, and finding it would take minutes."""
_STEPS: Final = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""Right, down, left, up: each is the former's turn to the right."""


def joined(polygons: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Return one outline of several polygons: each is linked, there and back, where it is nearest to those before it.

    So do converters to formats with one outline for an object, such as Ultralytics'. Of very many polygons only the
    largest ``PARTS_AT_MOST`` are taken.
    """
    if len(polygons) > PARTS_AT_MOST:
        polygons = nlargest(PARTS_AT_MOST, polygons, key=lambda points: abs(_area(points)))
    first, *others = (np.asarray(polygon, np.float64).reshape(-1, 2) for polygon in polygons)
    outline = first
    for polygon in others:
        here, there = _nearest(outline, polygon)
        round_trip = np.concatenate((polygon[there:], polygon[: there + 1]))
        outline = np.concatenate((outline[: here + 1], round_trip, outline[here:]))
    return tuple(outline.reshape(-1).tolist())


def outlines_of(mask: MaskRow) -> list[tuple[float, ...]]:
    """Return the outer outlines of a mask, along the edges of its pixels; of holes there are none.

    Pixels that touch at a corner only are parts of their own. A mask that is empty, or nothing but dots, has none.
    """
    runs = len(counts_of(mask.counts))
    return [] if runs > RUNS_AT_MOST else [outline for outline, area in _loops(np.pad(pixels_of(mask), 1)) if area > 0]


def _nearest(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[int, int]:
    step = max(1, AT_ONCE // len(other))
    best = (np.inf, 0, 0)
    for start in range(0, len(one), step):
        some = one[start : start + step]
        distances = ((some[:, None, :] - other[None, :, :]) ** 2).sum(axis=2)
        place = int(distances.argmin())
        found = (float(distances.flat[place]), start + place // len(other), place % len(other))
        best = min(best, found)
    return best[1], best[2]


def _loops(pixels: NDArray[np.bool_]) -> Iterator[tuple[tuple[float, ...], float]]:
    """Yield each loop of edges with the mask on its right, without points on straight lines, and its signed area."""
    edges = _edges(pixels)
    while edges:
        start = next(iter(edges))
        place, direction = start, next(iter(edges[start]))
        corners: list[tuple[int, int]] = []
        while direction in edges.get(place, ()):
            edges[place].remove(direction)
            if not edges[place]:
                del edges[place]
            place = (place[0] + _STEPS[direction][0], place[1] + _STEPS[direction][1])
            # The sharpest turn to the right first, so that parts that touch at a corner stay apart.
            turns = [turn % 4 for turn in (direction + 1, direction, direction - 1) if turn % 4 in edges.get(place, ())]
            following = turns[0] if turns else -1
            if following != direction:
                corners.append(place)
            direction = following
        # The pixels were padded by one.
        points = tuple(float(number - 1) for corner in corners for number in corner)
        yield points, _area(points)


def _edges(pixels: NDArray[np.bool_]) -> dict[tuple[int, int], set[int]]:
    """Return the edges between mask and rest, by the point at which each starts, as directions."""
    found: dict[tuple[int, int], set[int]] = {}
    above, below = ~pixels[:-1] & pixels[1:], pixels[:-1] & ~pixels[1:]
    before, after = ~pixels[:, :-1] & pixels[:, 1:], pixels[:, :-1] & ~pixels[:, 1:]
    for mask, direction, right, down in ((above, 0, 0, 1), (after, 1, 1, 0), (below, 2, 1, 1), (before, 3, 1, 1)):
        for row, column in np.argwhere(mask).tolist():
            found.setdefault((column + right, row + down), set()).add(direction)
    return found


def _area(points: Sequence[float]) -> float:
    across, down = np.asarray(points[::2]), np.asarray(points[1::2])
    return float(across @ np.roll(down, -1) - down @ np.roll(across, -1)) / 2
