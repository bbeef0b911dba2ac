"""Drawing: a small picture of an image with its annotations."""

import colorsys
import hashlib
import io
import math
import warnings
from collections.abc import Iterable
from typing import Final, NamedTuple

from PIL import Image, ImageDraw, ImageFont, ImageOps

from schemas.errors import Invalid
from storage.datasets.rows import AnnotationRow

MEDIA_TYPE: Final = "image/jpeg"
PIXELS_AT_MOST: Final = 200_000_000
QUALITY: Final = 85
LINE_PIXELS: Final = 2
TEXT_PIXELS: Final = 11
PAPER: Final = (255, 255, 255)


class Point(NamedTuple):
    """A place in the picture, in pixels from its top left."""

    x: float
    y: float


def thumbnail(data: bytes, *, size: int, annotations: Iterable[AnnotationRow], subject: str) -> bytes:
    """Return a JPEG of an image as displayed, its long side at most ``size`` pixels, with annotations drawn.

    Raise Invalid, naming the ``subject``, if the image cannot be read or has too many pixels.
    """
    try:
        with warnings.catch_warnings():
            # The limit below is ours, and an error.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as opened:
                picture, scale = _small(opened, size)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        step = "Restore the blob store from a back-up, or import the image again."
        raise Invalid(f"The image {subject} cannot be drawn: {error}.", step=step) from error
    for annotation in annotations:
        _draw(picture, annotation, scale)
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=QUALITY)
    return written.getvalue()


def colour_of(class_name: str | None) -> tuple[int, int, int]:
    """Return the colour of a class: always the same, and strong on most pictures."""
    hue = hashlib.sha256((class_name or "").encode()).digest()[0] / 256
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def _small(opened: Image.Image, size: int) -> tuple[Image.Image, float]:
    """Return an image as displayed and small enough, and its pixels for each pixel of the original."""
    if opened.width * opened.height > PIXELS_AT_MOST:
        message = f"it has {opened.width} x {opened.height} pixels"
        raise ValueError(message)
    long_side = max(opened.size)
    # A JPEG is decoded at an eighth, a quarter or a half where that is enough.
    opened.draft("RGB", (size * 2, size * 2))
    displayed = ImageOps.exif_transpose(opened)
    displayed.thumbnail((size, size))
    if displayed.mode in {"RGBA", "LA", "PA"} or "transparency" in displayed.info:
        opaque = Image.new("RGB", displayed.size, PAPER)
        opaque.paste(displayed, mask=displayed.convert("RGBA").getchannel("A"))
        displayed = opaque
    return displayed.convert("RGB"), max(displayed.size) / long_side


def _draw(picture: Image.Image, annotation: AnnotationRow, scale: float) -> None:
    pen = ImageDraw.Draw(picture)
    colour = colour_of(annotation.class_name)
    anchor: Point | None = None
    for outline in (*_polygons(annotation, scale), *_boxes(annotation, scale)):
        pen.line([*outline, outline[0]], fill=colour, width=LINE_PIXELS)
        anchor = Point(min(point.x for point in outline), min(point.y for point in outline))
    for x, y, visibility in zip(*(annotation.keypoints[start::3] for start in range(3)), strict=True):
        if visibility:
            pen.circle((x * scale, y * scale), LINE_PIXELS, fill=colour)
            anchor = anchor or Point(x * scale, y * scale)
    if anchor is not None:
        _write(pen, anchor, _label(annotation), colour)


def _polygons(annotation: AnnotationRow, scale: float) -> list[list[Point]]:
    return [
        [Point(x * scale, y * scale) for x, y in zip(polygon[::2], polygon[1::2], strict=True)]
        for polygon in annotation.polygons
    ]


def _boxes(annotation: AnnotationRow, scale: float) -> list[list[Point]]:
    if annotation.box is None:
        return []
    x, y, width, height = annotation.box
    turn = complex(math.cos(annotation.rotation), math.sin(annotation.rotation))
    centre = complex(x + width / 2, y + height / 2)
    corners = [complex(dx * width / 2, dy * height / 2) for dx, dy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    turned = [(centre + corner * turn) * scale for corner in corners]
    return [[Point(corner.real, corner.imag) for corner in turned]]


def _label(annotation: AnnotationRow) -> str:
    name = annotation.class_name or ""
    return name if annotation.confidence is None else f"{name} {annotation.confidence:.2f}".strip()


def _write(pen: ImageDraw.ImageDraw, at: Point, text: str, colour: tuple[int, int, int]) -> None:
    if not text:
        return
    font = ImageFont.load_default(TEXT_PIXELS)
    place = (max(at.x, 0), max(at.y - TEXT_PIXELS - LINE_PIXELS, 0))
    pen.rectangle(pen.textbbox(place, text, font=font), fill=colour)
    pen.text(place, text, fill=(0, 0, 0), font=font)
