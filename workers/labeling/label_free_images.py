"""Giving images to LabelFree: fetched from the gateway, upright, in a form that it takes."""

import asyncio
import hashlib
import io
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final

from aiohttp import ClientSession
from PIL import Image, ImageOps
from yarl import URL

from schemas.errors import Unavailable
from schemas.labeling import LabelingItem
from schemas.schema import AssetId
from workers.labeling.label_free_folder import SUFFIXES, JobFolder
from workers.labeling.tool_errors import Reached, tool_errors

_UPRIGHT: Final = 1
_ORIENTATION_TAG: Final = 0x0112
_JPEG_QUALITY: Final = 95


async def write_images(
    items: Sequence[LabelingItem], folder: JobFolder, *, link: Callable[[AssetId], str], session: ClientSession
) -> None:
    """Write those images of some items that the folder lacks, all at once; raises Unavailable."""
    results = await asyncio.gather(
        *(_write_image(item, folder, link=link(item.asset), session=session) for item in items), return_exceptions=True
    )
    for result in results:
        if result is not None:
            raise result


async def _write_image(item: LabelingItem, folder: JobFolder, *, link: str, session: ClientSession) -> None:
    if not await asyncio.to_thread(folder.lacks, item):
        return
    data = await _fetched(item, link, session)
    await asyncio.to_thread(lambda: folder.write_image(item, upright(data, media_type=item.media_type)))


async def _fetched(item: LabelingItem, link: str, session: ClientSession) -> bytes:
    gateway = Reached("The gateway", str(URL(link).origin()), "")
    with tool_errors(gateway):
        async with session.get(link) as response:
            data = await response.read()
    step = "See that the workers reach the gateway at YMIR_PUBLIC_URL."
    if response.status != HTTPStatus.OK:
        raise Unavailable(f"{gateway} does not give the image {item.asset} ({response.status}).", step=step)
    if hashlib.sha256(data).hexdigest() != item.asset:
        raise Unavailable(f"{gateway} gives something else than the image {item.asset}.", step=step)
    return data


def upright(data: bytes, *, media_type: str) -> bytes:
    """Return an image as LabelFree is to show it: turned as its EXIF orientation says, so that nobody need obey that.

    So what is drawn is in the frame of the image as displayed. What needs no change is returned as it is.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            if media_type in SUFFIXES and image.getexif().get(_ORIENTATION_TAG, _UPRIGHT) == _UPRIGHT:
                return data
            kept = image.format if media_type in SUFFIXES else "PNG"
            turned = ImageOps.exif_transpose(image)
            written = io.BytesIO()
            _writable(turned, kept).save(written, kept, quality=_JPEG_QUALITY)
    except Exception:  # noqa: BLE001 - an image was looked at when it was imported; damaged EXIF data raises what it likes
        return data
    return written.getvalue()


def _writable(image: Image.Image, kind: str | None) -> Image.Image:
    """Return an image in a mode that its file can have."""
    if kind == "PNG" and image.mode not in {"1", "L", "LA", "I", "P", "RGB", "RGBA", "I;16"}:
        return image.convert("RGB")
    return image
