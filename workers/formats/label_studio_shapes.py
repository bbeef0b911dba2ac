"""Shapes of Label Studio, in percents of a picture, as rows in its pixels."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from storage.datasets.rows import AnnotationRow
from workers.formats.brush_rle import brush_mask
from workers.formats.json_values import Wrong, a_list, a_number, numbers, polygon_of
from workers.formats.parts import ellipse

PERCENT: Final = 100
# Beyond these a percent says nothing: 20 pixels that come back as 20.000000000000004 would be another box.
DECIMALS: Final = 9

Size = tuple[int, int]


def _rectangle(value: Mapping[str, Any], size: Size) -> AnnotationRow:
    x, y = place_of(value, size)
    width, height = _sides(value, "width", "height", size)
    rotation = math.radians(_turn(value))
    if not rotation:
        return AnnotationRow(box=(x, y, width, height))
    # It is turned about its top left corner, ours about its middle.
    cosine, sine = math.cos(rotation), math.sin(rotation)
    middle_x = x + (width * cosine - height * sine) / 2
    middle_y = y + (width * sine + height * cosine) / 2
    return AnnotationRow(box=(middle_x - width / 2, middle_y - height / 2, width, height), rotation=rotation)


def _polygon(value: Mapping[str, Any], size: Size) -> AnnotationRow:
    points: list[float] = []
    for position, point in enumerate(a_list(value.get("points"), ".value.points")):
        x, y = numbers(point, f".value.points[{position}]", count=2)
        points += [_pixels(x, size[0]), _pixels(y, size[1])]
    return AnnotationRow(polygons=(polygon_of(tuple(points), ".value.points"),))


def _brush(value: Mapping[str, Any], size: Size) -> AnnotationRow | None:
    try:
        mask = brush_mask(a_list(value.get("rle"), ".value.rle"), width=size[0], height=size[1])
    except ValueError as error:
        raise Wrong(f"is no mask of {size[0]} x {size[1]} pixels: {error}", ".value.rle") from None
    return AnnotationRow(mask=mask)


def _ellipse(value: Mapping[str, Any], size: Size) -> AnnotationRow:
    radii = _sides(value, "radiusX", "radiusY", size)
    polygon = ellipse(place_of(value, size), radii, degrees=_turn(value))
    return AnnotationRow(polygons=(polygon,))


SHAPES: Final[Mapping[str, Callable[[Mapping[str, Any], Size], AnnotationRow | None]]] = {
    "rectangle": _rectangle,
    "polygon": _polygon,
    "brush": _brush,
    "ellipse": _ellipse,
}


def place_of(value: Mapping[str, Any], size: Size) -> tuple[float, float]:
    """Return the pixels of a point."""
    x, y = (a_number(value.get(key), f".value.{key}") for key in ("x", "y"))
    return _pixels(x, size[0]), _pixels(y, size[1])


def _sides(value: Mapping[str, Any], across: str, down: str, size: Size) -> tuple[float, float]:
    sides = []
    for key, length in ((across, size[0]), (down, size[1])):
        side = _pixels(a_number(value.get(key), f".value.{key}"), length)
        if side < 0:
            raise Wrong(f"is negative: {side:g}", f".value.{key}")
        sides.append(side)
    return sides[0], sides[1]


def _pixels(percent: float, length: int) -> float:
    return round(percent * length / PERCENT, DECIMALS)


def _turn(value: Mapping[str, Any]) -> float:
    return a_number(value.get("rotation") or 0, ".value.rotation")
