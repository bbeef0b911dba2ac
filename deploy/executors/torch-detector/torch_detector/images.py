"""Images of any size, mode and EXIF orientation as colour pictures of a working size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from torch_detector.errors import ImageError

ORIENTATION = 0x0112  # EXIF: how the pixels must be turned to be displayed
TURNED = (5, 6, 7, 8)
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
SEE_THROUGH = ("RGBA", "LA", "PA", "La", "RGBa")
BEHIND = (128, 128, 128, 255)  # what shows through transparent pixels


@dataclass(frozen=True)
class Picture:
    """Pixels at working size, and the size of the image as displayed."""

    pixels: Image.Image
    width: int
    height: int

    @property
    def shrunk(self) -> tuple[float, float]:
        """Working pixels for one pixel of the image, across and down."""
        return self.pixels.width / self.width, self.pixels.height / self.height


def read_picture(path: str, *, longest: int) -> Picture:
    """Return the image in RGB, its longer side made `longest`; raise ImageError naming the file."""
    with _opened(path) as image:
        width, height = _displayed_size(image)
        image.draft("RGB", (longest, longest))  # JPEG: decode at a half, a quarter or an eighth of the size
        upright = _upright(_coloured(image), image.getexif().get(ORIENTATION, 1))
        share = longest / max(width, height)
        size = max(1, round(width * share)), max(1, round(height * share))
        resized = upright if upright.size == size else upright.resize(size, Image.Resampling.BILINEAR)
        return Picture(resized, width, height)


@contextmanager
def _opened(path: str) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            yield image
    # Pillow's readers raise all of these on damaged files.
    except (OSError, Image.DecompressionBombError, SyntaxError, ValueError, EOFError) as error:
        raise ImageError(f"cannot read the image {path}: {error}") from error


def _displayed_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    return (height, width) if image.getexif().get(ORIENTATION) in TURNED else (width, height)


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def _coloured(image: Image.Image) -> Image.Image:
    if image.mode in DEEP_MODES:
        return Image.fromarray(_eight_bits(np.asarray(image, np.float32))).convert("RGB")
    if image.mode in SEE_THROUGH or "transparency" in image.info:
        shown = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", shown.size, BEHIND), shown).convert("RGB")
    return image.convert("RGB")


def _eight_bits(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    values = np.clip(np.nan_to_num(values), 0, None)
    # Deep images rarely say how many of their bits they use: enough for the brightest pixel (0 to 1 counts as one).
    bits = math.ceil(math.log2(float(values.max(initial=0)) + 1))
    scaled: NDArray[np.uint8] = (values * (255.0 / max(1, 2**bits - 1))).astype(np.uint8)
    return scaled
