"""The two frames of an image with an EXIF orientation: as stored, and as displayed."""

import math
from collections.abc import Callable
from typing import Final

from storage.datasets.rows import AnnotationRow, ImageRow
from workers.formats.rle import turned_mask

Point = tuple[float, float]
# From a point of the stored picture of width w and height h to the displayed one; TIFF 6.0 and EXIF 2.3, tag 274.
_TURNS: Final[dict[int, Callable[[float, float, float, float], Point]]] = {
    2: lambda x, y, w, _: (w - x, y),
    3: lambda x, y, w, h: (w - x, h - y),
    4: lambda x, y, _, h: (x, h - y),
    5: lambda x, y, _w, _h: (y, x),
    6: lambda x, y, _, h: (h - y, x),
    7: lambda x, y, w, h: (h - y, w - x),
    8: lambda x, y, w, _: (y, w - x),
}
_BACK: Final = {6: 8, 8: 6}
_MIRRORED: Final = frozenset({2, 4, 5, 7})
SIDEWAYS: Final = frozenset({5, 6, 7, 8})


def stored_size(image: ImageRow) -> tuple[int, int]:
    """Return width and height of an image as its file stores it."""
    return (image.height, image.width) if image.orientation in SIDEWAYS else (image.width, image.height)


def is_displayed(stated: tuple[int, int] | None, image: ImageRow) -> bool:
    """Return whether annotations that state this size of their image are in the displayed frame.

    They are in the stored one unless the size can only be the displayed one: so do exports write them.
    """
    return image.orientation == 1 or (stated == (image.width, image.height) != stored_size(image))


def to_displayed(row: AnnotationRow, image: ImageRow) -> AnnotationRow:
    """Return an annotation of the stored picture as one of the displayed picture."""
    return _turned(row, image.orientation, *stored_size(image))


def to_stored(row: AnnotationRow, image: ImageRow) -> AnnotationRow:
    """Return an annotation of the displayed picture as one of the stored picture."""
    return _turned(row, _BACK.get(image.orientation, image.orientation), image.width, image.height)


def _turned(row: AnnotationRow, orientation: int, width: int, height: int) -> AnnotationRow:
    if orientation not in _TURNS:
        return row

    def turn(x: float, y: float) -> Point:
        return _TURNS[orientation](x, y, width, height)

    return row._replace(
        box=None if row.box is None else _turned_box(row.box, turn),
        rotation=-row.rotation if orientation in _MIRRORED and row.rotation else row.rotation,
        polygons=tuple(_turned_points(polygon, turn, 2) for polygon in row.polygons),
        mask=None if row.mask is None else turned_mask(row.mask, orientation),
        keypoints=_turned_points(row.keypoints, turn, 3),
    )


def _turned_box(
    box: tuple[float, float, float, float], turn: Callable[[float, float], Point]
) -> tuple[float, float, float, float]:
    x, y, width, height = box
    (left, top), (right, bottom) = turn(x, y), turn(x + width, y + height)
    turned_width, turned_height = (width, height) if _keeps_axes(turn) else (height, width)
    # The sides are taken over, not subtracted anew: there and back again is then exact in them.
    return min(left, right), min(top, bottom), turned_width, turned_height


def _keeps_axes(turn: Callable[[float, float], Point]) -> bool:
    return not math.isclose(turn(1.0, 0.0)[0], turn(0.0, 0.0)[0])


def _turned_points(values: tuple[float, ...], turn: Callable[[float, float], Point], step: int) -> tuple[float, ...]:
    points = (values[start : start + step] for start in range(0, len(values), step))
    # A key point without visibility has no place: COCO writes 0, 0, 0.
    return tuple(
        number for x, y, *rest in points for number in ((x, y, *rest) if rest == [0] else (*turn(x, y), *rest))
    )
