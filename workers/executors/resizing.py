"""Resizing: copies of image files, upright and in another size; done in the processes of the image pool."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from workers.images import SIDEWAYS, turned_upright

# A JPEG is decoded at the smallest scale that is still so many times larger: more than that is not seen.
REDUCED_TO: Final = 2
MIXED_AS: Final = {"1": "L", "I;16B": "I"}
SAVED_AS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "image/bmp": ("BMP", {}),
    "image/jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    "image/png": ("PNG", {"compress_level": 1}),
    "image/tiff": ("TIFF", {}),
    "image/webp": ("WEBP", {"quality": 95}),
}


class Resize(NamedTuple):
    """One image file, and what is to be made of it."""

    source: Path
    target: Path
    width: int
    height: int
    """Of the picture as displayed."""
    orientation: int
    media_type: str


def resize_all(orders: Sequence[Resize]) -> list[str]:
    """Write the files that are asked for, read-only; return why one could not be made for each, empty if it was."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [_resize(order) for order in orders]


def _resize(order: Resize) -> str:
    if order.media_type not in SAVED_AS:
        return f"pictures of the type {order.media_type!r} are not turned or resized"
    try:
        picture = _made(order)
    except Exception as error:  # noqa: BLE001 - decoders of foreign bytes raise whatever they like
        return str(error)[:200] or type(error).__name__
    name, options = SAVED_AS[order.media_type]
    picture.save(order.target, name, **options)
    order.target.chmod(0o444)
    return ""


def _made(order: Resize) -> Image.Image:
    with Image.open(order.source) as image:
        is_tiff = image.format == TiffImageFile.format
        # A TIFF is turned while it is loaded; any other picture is shrunk first, which is less work.
        is_sideways = order.orientation in SIDEWAYS and not is_tiff
        size = (order.height, order.width) if is_sideways else (order.width, order.height)
        image.draft(None, (REDUCED_TO * size[0], REDUCED_TO * size[1]))
        image.load()
        # Pillow shrinks numbers of 16 bits in one step only.
        gap = None if image.mode.startswith("I;16") else REDUCED_TO
        small = _resizable(image).resize(size, Image.Resampling.LANCZOS, reducing_gap=gap)
        profile = image.info.get("icc_profile")
    if not is_tiff:
        small = turned_upright(small, order.orientation)
    small.info = {"icc_profile": profile} if profile else {}
    return small


def _resizable(image: Image.Image) -> Image.Image:
    """Return a picture whose pixels can be mixed: no numbers of a palette, no single bits."""
    if image.mode == "P":
        return image.convert("RGBA" if "transparency" in image.info else "RGB")
    return image.convert(MIXED_AS[image.mode]) if image.mode in MIXED_AS else image
