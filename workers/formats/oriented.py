"""Rotated boxes and their corners."""

import math
from collections.abc import Sequence
from typing import Final

Box = tuple[float, float, float, float]
NEAR: Final = 1e-3
"""Pixels by which corners may miss those of a rectangle, or a rotation move a corner and still be none."""
ROUGH: Final = 0.01
"""The part of a side by which corners, rounded as most tools round them, may miss those of a rectangle."""


def has_rotation(box: Box, rotation: float) -> bool:
    """Return whether the rotation of a box shows in its corners."""
    return abs(math.remainder(rotation, 2 * math.pi)) * max(box[2], box[3]) >= NEAR


def corners_of(box: Box, rotation: float) -> tuple[float, ...]:
    """Return x, y of the corners of a rotated box: of what is its top left without rotation, and clockwise on."""
    x, y, width, height = box
    if not rotation:
        return x, y, x + width, y, x + width, y + height, x, y + height
    middle_x, middle_y = x + width / 2, y + height / 2
    cosine, sine = math.cos(rotation), math.sin(rotation)
    return tuple(
        number
        for across, down in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        for number in (
            middle_x + (across * width * cosine - down * height * sine) / 2,
            middle_y + (across * width * sine + down * height * cosine) / 2,
        )
    )


def around_rotated(box: Box, rotation: float) -> Box:
    """Return the least upright box about a rotated one."""
    if not rotation:
        return box
    corners = corners_of(box, rotation)
    across, down = corners[::2], corners[1::2]
    return min(across), min(down), max(across) - min(across), max(down) - min(down)


def oriented_box(corners: Sequence[float]) -> tuple[Box, float, bool]:
    """Return the box and rotation of four corners in their order, and whether these were a rectangle's.

    The first side, from the first corner to the second, is the width. Where the corners are no rectangle's, the
    rectangle of least area about them is returned.
    """
    points = [*zip(corners[::2], corners[1::2], strict=True)]
    sides = [_minus(points[(place + 1) % 4], points[place]) for place in range(4)]
    box, rotation = _from_sides(points, sides[0], sides[1])
    misses = max(
        math.dist(point, corner) for point, corner in zip(points, _pairs(corners_of(box, rotation)), strict=True)
    )
    slack = max(NEAR, ROUGH * min(box[2], box[3]))
    if misses <= slack:
        return box, rotation, True
    found = [_least_about(points, side) for side in sides if side != (0.0, 0.0)] or [(box, 0.0)]
    return *min(found, key=lambda one: one[0][2] * one[0][3]), False


def _minus(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return one[0] - other[0], one[1] - other[1]


def _pairs(numbers: Sequence[float]) -> list[tuple[float, float]]:
    return [*zip(numbers[::2], numbers[1::2], strict=True)]


def _from_sides(
    points: Sequence[tuple[float, float]], first: tuple[float, float], second: tuple[float, float]
) -> tuple[Box, float]:
    """Return the rectangle with the middle, mean sides and direction of four points."""
    # The longer side tells the direction better; the second one turned back is the first.
    along = first if math.hypot(*first) >= math.hypot(*second) else (second[1], -second[0])
    width = (math.dist(points[0], points[1]) + math.dist(points[2], points[3])) / 2
    height = (math.dist(points[1], points[2]) + math.dist(points[3], points[0])) / 2
    middle_x, middle_y = sum(x for x, _ in points) / 4, sum(y for _, y in points) / 4
    return (middle_x - width / 2, middle_y - height / 2, width, height), _angle(along, max(width, height))


def _least_about(points: Sequence[tuple[float, float]], side: tuple[float, float]) -> tuple[Box, float]:
    """Return the least rectangle about points whose width runs along a side."""
    length = math.hypot(*side)
    cosine, sine = side[0] / length, side[1] / length
    along = [x * cosine + y * sine for x, y in points]
    aside = [y * cosine - x * sine for x, y in points]
    width, height = max(along) - min(along), max(aside) - min(aside)
    middle_along, middle_aside = (max(along) + min(along)) / 2, (max(aside) + min(aside)) / 2
    middle_x = middle_along * cosine - middle_aside * sine
    middle_y = middle_along * sine + middle_aside * cosine
    return (middle_x - width / 2, middle_y - height / 2, width, height), _angle(side, max(width, height))


def _angle(side: tuple[float, float], length: float) -> float:
    """Return the direction of a side, 0 where it moves no corner by as much as matters."""
    angle = math.atan2(side[1], side[0])
    return 0.0 if abs(angle) * length < NEAR else angle
