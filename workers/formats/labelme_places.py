"""Where the shapes of a LabelMe file are, or what is wrong with that."""

import base64
import io
import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from storage.datasets.rows import AnnotationRow
from workers.formats.json_values import Wrong, a_list, numbers

CORNERS: Final = 4


def points_of(shape: dict[str, Any]) -> tuple[float, ...]:
    """Return the coordinates of a shape, one after the other."""
    points = a_list(shape.get("points"), ".points")
    pairs = [numbers(point, f".points[{position}]", count=2) for position, point in enumerate(points)]
    if not pairs:
        raise Wrong("has no point", ".points")
    return tuple(number for pair in pairs for number in pair)


def so_many(points: tuple[float, ...], count: int, what: str) -> tuple[float, ...]:
    """Return points that have to be so many."""
    if len(points) != 2 * count:
        raise Wrong(f"has {len(points) // 2} points; {what} needs {count}", ".points")
    return points


def rectangle(points: tuple[float, ...]) -> tuple[float, float, float, float]:
    """Return the box of two opposite corners, or of all four."""
    if len(points) == 2 * CORNERS:
        # As newer versions write it: all four corners.
        points = min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])
    left, top, right, bottom = so_many(points, 2, "a rectangle")
    return min(left, right), min(top, bottom), abs(right - left), abs(bottom - top)


def turned_box(points: tuple[float, ...]) -> AnnotationRow | None:
    """Return the turned box whose corners some points are, as we write it; None where they are no such corners."""
    if len(points) != 2 * CORNERS:
        return None
    across, down = points[2] - points[0], points[3] - points[1]
    width, height = math.hypot(across, down), math.hypot(points[4] - points[2], points[5] - points[3])
    if not width:
        across, down = points[5] - points[3], points[2] - points[4]
    middle = (points[0] + points[4]) / 2, (points[1] + points[5]) / 2
    box = (middle[0] - width / 2, middle[1] - height / 2, width, height)
    return AnnotationRow(box=box, rotation=math.atan2(down, across))


def picture_of(text: Any, *, at_most: tuple[int, int]) -> NDArray[np.bool_]:  # noqa: ANN401 - foreign JSON
    """Return the pixels of a mask; raise Wrong where it is larger than its place."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(text)), formats=["PNG"]) as picture:
            if picture.width > at_most[0] or picture.height > at_most[1]:
                raise Wrong(f"reaches out of the image: it has {picture.width} x {picture.height} pixels", ".mask")
            return np.asarray(picture.convert("L")) > 0
    except (TypeError, ValueError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise Wrong("is no PNG picture as base64", ".mask") from error
