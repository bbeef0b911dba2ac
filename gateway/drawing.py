"""Drawing: a picture of an image as displayed, with its annotations."""

import io
import warnings
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image, ImageOps

from gateway.shapes import painted
from schemas.errors import Invalid
from storage.datasets.rows import AnnotationRow

PIXELS_AT_MOST: Final = 200_000_000
PAPER: Final = (255, 255, 255)
HIGHEST: Final = 255


class PictureFormat(StrEnum):
    """How a drawn picture is written."""

    JPEG = "jpeg"
    PNG = "png"

    @property
    def media_type(self) -> str:
        """What the answer is called."""
        return f"image/{self}"


SAVED_WITH: Final[Mapping[PictureFormat, Mapping[str, Any]]] = {
    PictureFormat.JPEG: {"quality": 85},
    PictureFormat.PNG: {"compress_level": 1},
}


def drawn(
    data: bytes,
    *,
    size: int,
    annotations: Iterable[AnnotationRow],
    subject: str,
    written_as: PictureFormat = PictureFormat.JPEG,
    font: Path | None = None,
) -> bytes:
    """Return a picture of an image as displayed, its long side at most ``size`` pixels, with annotations drawn.

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
    written = io.BytesIO()
    painted(picture, annotations, scale=scale, font=font).save(written, written_as.value, **SAVED_WITH[written_as])
    return written.getvalue()


def _small(opened: Image.Image, size: int) -> tuple[Image.Image, float]:
    """Return an image as displayed and small enough, and its pixels for each pixel of the original."""
    if opened.width * opened.height > PIXELS_AT_MOST:
        message = f"it has {opened.width} x {opened.height} pixels"
        raise ValueError(message)
    long_side = max(opened.size)
    # A JPEG is decoded at an eighth, a quarter or a half where that is enough.
    opened.draft("RGB", (size * 2, size * 2))
    displayed = ImageOps.exif_transpose(opened)
    if displayed.mode.startswith(("I", "F")):
        displayed = _in_eight_bits(displayed)
    displayed.thumbnail((size, size))
    if displayed.mode in {"RGBA", "LA", "PA"} or "transparency" in displayed.info:
        opaque = Image.new("RGB", displayed.size, PAPER)
        opaque.paste(displayed, mask=displayed.convert("RGBA").getchannel("A"))
        displayed = opaque
    return displayed.convert("RGB"), max(displayed.size) / long_side


def _in_eight_bits(deep: Image.Image) -> Image.Image:
    """Return a picture of finer grey as one that can be shown: its darkest is black, its brightest white."""
    values = np.nan_to_num(np.asarray(deep, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    darkest, brightest = float(values.min()), float(values.max())
    spread = (brightest - darkest) or 1.0
    return Image.fromarray(((values - darkest) * (HIGHEST / spread)).astype(np.uint8))
