"""Shapes: annotations painted on a picture: masks and polygons filled, boxes, key points, and their names."""

import colorsys
import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from storage.datasets.mask_pixels import pixels_of
from storage.datasets.rows import AnnotationRow, MaskRow

FILL: Final = 90
"""How much of a colour, of 255, lies over what it covers."""
MASK_PIXELS_AT_MOST: Final = 200_000_000
BRIGHT: Final = 110.0
"""From this brightness of 255 on black can be read on a colour."""

Colour = tuple[int, int, int]


class Point(NamedTuple):
    """A place in the picture, in pixels from its top left."""

    x: float
    y: float


class Brush(NamedTuple):
    """How thick lines are, and how large letters of which font, fit for the size of a picture."""

    line: int
    text: int
    font: Path | None

    @classmethod
    def for_size(cls, size: tuple[int, int], font: Path | None) -> "Brush":
        """Return the brush for a picture of some width and height."""
        return cls(line=max(2, round(max(size) / 400)), text=max(11, round(max(size) / 50)), font=font)


def colour_of(class_name: str | None) -> Colour:
    """Return the colour of a class: always the same, and strong on most pictures."""
    hue = hashlib.sha256((class_name or "").encode()).digest()[0] / 256
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def painted(
    picture: Image.Image, annotations: Iterable[AnnotationRow], *, scale: float, font: Path | None = None
) -> Image.Image:
    """Return a picture with annotations on it; ``scale`` is its pixels for each of theirs, ``font`` that of names.

    What covers most is painted first, and names come last, so that nothing is hidden.
    """
    rows = sorted(annotations, key=_extent, reverse=True)
    brush = Brush.for_size(picture.size, font)
    picture = _filled(picture, rows, scale, brush)
    pen = ImageDraw.Draw(picture)
    anchors = [(row, _outlined(pen, row, scale, brush)) for row in rows]
    for row, anchor in anchors:
        if anchor is not None:
            _write(pen, anchor, _label(row), colour_of(row.class_name), brush)
    return picture


def _extent(row: AnnotationRow) -> float:
    if row.box is not None:
        return row.box[2] * row.box[3]
    points = [number for polygon in row.polygons for number in polygon]
    return max(points, default=0.0) - min(points, default=0.0)


def _filled(picture: Image.Image, rows: Sequence[AnnotationRow], scale: float, brush: Brush) -> Image.Image:
    if not any(row.mask is not None or row.polygons for row in rows):
        return picture
    above = Image.new("RGBA", picture.size)
    pen = ImageDraw.Draw(above)
    for row in rows:
        colour = colour_of(row.class_name)
        for outline in _polygons(row, scale):
            pen.polygon(outline, fill=(*colour, FILL))
        if row.mask is not None and row.mask.width * row.mask.height <= MASK_PIXELS_AT_MOST:
            inside = _shrunk(row.mask, picture.size)
            above.paste((*colour, FILL), mask=_stencil(inside))
            above.paste((*colour, 255), mask=_stencil(_edge(inside, brush.line)))
    return Image.alpha_composite(picture.convert("RGBA"), above).convert("RGB")


def _shrunk(mask: MaskRow, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return a mask in the size of the picture, which it is about the whole of."""
    width, height = size
    across = (np.arange(width) + 0.5) * mask.width / width
    down = (np.arange(height) + 0.5) * mask.height / height
    return pixels_of(mask)[np.ix_(down.astype(np.int64), across.astype(np.int64))]


def _edge(inside: NDArray[np.bool_], line: int) -> NDArray[np.bool_]:
    """Return what of a mask is nearer to its outside than a line is thick; the rim of the picture is no outside."""
    edge = np.zeros_like(inside)
    down, across = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(down):
        return edge
    top, left = max(int(down[0]) - line, 0), max(int(across[0]) - line, 0)
    about = (slice(top, int(down[-1]) + line + 1), slice(left, int(across[-1]) + line + 1))
    core = np.pad(inside[about], line, mode="edge")
    for axis in (0, 1):
        core = _least(core, 2 * line + 1, axis=axis)
    edge[about] = inside[about] & ~core
    return edge


def _least(values: NDArray[np.bool_], width: int, *, axis: int) -> NDArray[np.bool_]:
    """Return whether all of ``width`` neighbours along an axis are true, for each place where there are so many."""
    values, reach = np.moveaxis(values, axis, 0), 1
    while reach < width:
        # What is known of some neighbours and of as many behind them is known of twice as many.
        step = min(reach, width - reach)
        values = values[:-step] & values[step:]
        reach += step
    return np.moveaxis(values, 0, axis)


def _stencil(inside: NDArray[np.bool_]) -> Image.Image:
    return Image.fromarray(inside.astype(np.uint8) * 255)


def _outlined(pen: ImageDraw.ImageDraw, row: AnnotationRow, scale: float, brush: Brush) -> Point | None:
    """Draw the lines and points of an annotation; return where its name goes, None where it is nowhere."""
    colour = colour_of(row.class_name)
    outlines = [*_polygons(row, scale), *_boxes(row, scale)]
    for outline in outlines:
        pen.line([*outline, outline[0]], fill=colour, width=brush.line, joint="curve")
    points = list(_keypoints(row, scale))
    for point, is_seen in points:
        pen.circle(point, 2 * brush.line, fill=colour if is_seen else None, outline=colour, width=brush.line)
    placed = [point for outline in outlines for point in outline] or [point for point, _ in points]
    if placed:
        return Point(min(point.x for point in placed), min(point.y for point in placed))
    return _top_left(row.mask, scale) if row.mask is not None else None


def _top_left(mask: MaskRow, scale: float) -> Point | None:
    if mask.width * mask.height > MASK_PIXELS_AT_MOST:
        return None
    pixels = pixels_of(mask)
    if not pixels.any():
        return None
    return Point(float(pixels.any(axis=0).argmax()) * scale, float(pixels.any(axis=1).argmax()) * scale)


def _keypoints(row: AnnotationRow, scale: float) -> Iterator[tuple[Point, bool]]:
    for x, y, visibility in zip(*(row.keypoints[start::3] for start in range(3)), strict=True):
        if visibility:
            yield Point(x * scale, y * scale), visibility > 1


def _polygons(row: AnnotationRow, scale: float) -> list[list[Point]]:
    return [
        [Point(x * scale, y * scale) for x, y in zip(polygon[::2], polygon[1::2], strict=True)]
        for polygon in row.polygons
    ]


def _boxes(row: AnnotationRow, scale: float) -> list[list[Point]]:
    if row.box is None:
        return []
    x, y, width, height = row.box
    turn = complex(math.cos(row.rotation), math.sin(row.rotation))
    centre = complex(x + width / 2, y + height / 2)
    corners = [complex(dx * width / 2, dy * height / 2) for dx, dy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    turned = [(centre + corner * turn) * scale for corner in corners]
    return [[Point(corner.real, corner.imag) for corner in turned]]


def _label(row: AnnotationRow) -> str:
    name = row.class_name or ""
    return name if row.confidence is None else f"{name} {row.confidence:.2f}".strip()


def _write(pen: ImageDraw.ImageDraw, at: Point, text: str, colour: Colour, brush: Brush) -> None:
    if not text:
        return
    font, (width, height) = _font(brush.font, brush.text), pen.im.size
    right, bottom = pen.textbbox((0, 0), text, font=font)[2:]
    # Above the shape where there is room, and never outside of the picture.
    x = max(min(at.x, width - right - brush.line), 0)
    y = max(min(at.y, height) - bottom - 2 * brush.line, 0)
    pen.rectangle((x, y, x + right + brush.line, y + bottom + brush.line), fill=colour)
    red, green, blue = colour
    ink = (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue >= BRIGHT else (255, 255, 255)
    pen.text((x + brush.line / 2, y), text, fill=ink, font=font)


@lru_cache(maxsize=32)
def _font(path: Path | None, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    if path is not None:
        with suppress(OSError):  # no font: a name in another one is better than no picture
            return ImageFont.truetype(path, size)
    return ImageFont.load_default(size)
