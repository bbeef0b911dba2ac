"""One image file: its digest, size, orientation and perceptual hash, or what is wrong with it; decoded once."""

import hashlib
import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.MpoImagePlugin import MpoImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from storage.datasets.rows import ImageRow

# By Pillow's names, which are known to it from when these modules are imported.
MEDIA_TYPES: Final = {
    BmpImageFile.format: "image/bmp",
    JpegImageFile.format: "image/jpeg",
    # A JPEG with more pictures after the first, as phones write; it is opened as a JPEG.
    MpoImageFile.format: "image/jpeg",
    PngImageFile.format: "image/png",
    TiffImageFile.format: "image/tiff",
    WebPImageFile.format: "image/webp",
}
SUFFIXES: Final = {
    "image/bmp": ".bmp",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/tiff": ".tiff",
    "image/webp": ".webp",
}

_OPENED: Final = tuple(sorted(MEDIA_TYPES.keys() - {MpoImageFile.format}))
_ORIENTATION_TAG: Final = 0x0112
_HASH_SIDE: Final = 16
# A JPEG is decoded at the smallest scale that still has this many pixels: all its bytes are read all the same.
_DRAFT: Final = (2 * _HASH_SIDE + 2, 2 * _HASH_SIDE)
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS: Final = frozenset({5, 6, 7, 8})


class Limits(NamedTuple):
    """How large an image may be."""

    pixels: int = 400_000_000
    size: int = 1 << 30
    """Bytes of the file."""


class BadImage(NamedTuple):
    """An image that cannot be used, and why."""

    path: str
    reason: str


def inspect_image(path: Path, *, name: str, limits: Limits) -> ImageRow | BadImage:
    """Return what an image file tells of itself, or why it cannot be used; it raises nothing for a bad file.

    The size is that of the image as displayed. The perceptual hash has 256 bits, most significant first: for each of
    16 rows of the picture in grey at 17 x 16 pixels, whether each pixel is darker than the one right of it.
    """
    return inspect_unless_known(path, name=name, limits=limits, known=_nothing)[0]


def inspect_unless_known(
    path: Path, *, name: str, limits: Limits, known: Callable[[bytes], ImageRow | None]
) -> tuple[ImageRow | BadImage, bytes | None]:
    """Return the same, and the bytes of the file; no bytes, and nothing is decoded, where ``known`` tells what it is.

    ``known`` is asked by the SHA-256 of the bytes, which are read in any case.
    """
    try:
        data = _data(path, name, limits)
        if isinstance(data, BadImage):
            return data, None
        asset = hashlib.sha256(data).digest()
        row = known(asset)
        if row is None:
            return _inspect(data, asset, name, limits), data
        if row.width * row.height > limits.pixels:
            return _too_large(name, row.width, row.height, limits), None
        return row._replace(file_name=name), None
    except Image.DecompressionBombError as error:
        reason = f"it has too many pixels: {error}"
    except UnidentifiedImageError:
        reason = f"it is no image of a known type ({', '.join(sorted(SUFFIXES))})"
    except MemoryError:
        reason = "there is not enough memory to decode it"
    except Exception as error:  # noqa: BLE001 - decoders of foreign bytes raise whatever they like
        reason = f"it is damaged: {str(error)[:200] or type(error).__name__}"
    return BadImage(name, reason), None


def _nothing(_: bytes) -> None:
    return None


def _data(path: Path, name: str, limits: Limits) -> bytes | BadImage:
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if not 0 < size <= limits.size:
            return BadImage(name, f"it has {size} bytes, which is not from 1 to {limits.size}")
        return file.readall()


def _too_large(name: str, width: int, height: int, limits: Limits) -> BadImage:
    return BadImage(name, f"it has {width} x {height} pixels, more than {limits.pixels} in all")


def _inspect(data: bytes, asset: bytes, name: str, limits: Limits) -> ImageRow | BadImage:
    with warnings.catch_warnings():
        # Pillow warns of bombs by a limit of its own; ours is compared before anything is decoded.
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data), formats=_OPENED) as image:
            width, height = image.size
            if width * height > limits.pixels:
                return _too_large(name, width, height, limits)
            kind, channels = image.format, len(image.getbands())
            # A TIFF is turned while it is loaded, and nothing is left then that says how.
            turned = orientation_of(image) if kind == TiffImageFile.format else None
            image.draft("L", _DRAFT)
            image.load()
            orientation = turned or orientation_of(image)
            perceptual_hash = _difference_hash(image, 1 if turned else orientation)
            width, height = image.size if turned else (width, height)
    if orientation in SIDEWAYS and not turned:
        width, height = height, width
    media_type = MEDIA_TYPES[kind or ""]
    return ImageRow(asset, name, width, height, orientation, channels, len(data), media_type, perceptual_hash)


def orientation_of(image: Image.Image) -> int:
    """Return how the pixels must be turned to be displayed: 1 for a TIFF that is loaded, as it was turned by that."""
    # Looking for it where there is none costs as much as decoding a small picture.
    if image.format != "TIFF" and not image.info.keys() & {"exif", "Raw profile type exif"}:
        return 1
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 - damaged EXIF data does not harm the picture, and raises whatever it likes
        return 1
    return int(value) if value in _TURNS else 1


def turned_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return a stored picture with an EXIF orientation as it is displayed."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def _difference_hash(image: Image.Image, orientation: int) -> bytes:
    grey = image if image.mode == "L" else image.convert("L")
    across, down = _HASH_SIDE + 1, _HASH_SIDE
    # Shrunk first and turned then: the same picture, for a fraction of the work.
    shape = (down, across) if orientation in SIDEWAYS else (across, down)
    small = grey.resize(shape, Image.Resampling.BOX)
    small = turned_upright(small, orientation)
    pixels = np.frombuffer(small.tobytes(), dtype=np.uint8).reshape(down, across)
    return np.packbits(pixels[:, :-1] < pixels[:, 1:]).tobytes()
