"""Drawn pictures: made in threads, a few at a time, and remembered up to a number of bytes."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from aiohttp import web

from gateway.drawing import PictureFormat, drawn
from gateway.settings import GatewaySettings
from schemas.schema import AssetId, Digest
from storage.datasets.rows import AnnotationRow
from storage.ports import Blobs


class Wanted(NamedTuple):
    """Which picture is meant; equal values are the same picture for ever."""

    content: Digest
    """Of a version's manifest, or that of uploaded pictures."""
    asset: AssetId
    size: int
    layers: tuple[str, ...]
    confidence: float
    written_as: PictureFormat = PictureFormat.JPEG


class Thumbnails:
    """Pictures drawn lately, and the few threads that draw others."""

    def __init__(self, blobs: Blobs, settings: GatewaySettings) -> None:
        self._blobs = blobs
        self._slots = asyncio.Semaphore(settings.draw_at_once)
        self._font = settings.draw_font
        self._limit = settings.thumbnail_cache_bytes
        self._bytes = 0
        self._known: OrderedDict[Wanted, bytes] = OrderedDict()

    @property
    def slots(self) -> asyncio.Semaphore:
        """What every drawing takes one of while it is drawn."""
        return self._slots

    async def draw(self, wanted: Wanted, annotations: Callable[[], Awaitable[Sequence[AnnotationRow]]]) -> bytes:
        """Return a picture; ``annotations`` is called only if it has to be drawn. Raises what that does."""
        if wanted in self._known:
            self._known.move_to_end(wanted)
            return self._known[wanted]
        rows = await annotations()
        async with self._slots:
            data = await self._blobs.get(f"sha256:{wanted.asset}")
            picture = await asyncio.to_thread(
                drawn,
                data,
                size=wanted.size,
                annotations=rows,
                subject=wanted.asset,
                written_as=wanted.written_as,
                font=self._font,
            )
        self._remember(wanted, picture)
        return picture

    def _remember(self, wanted: Wanted, picture: bytes) -> None:
        self._bytes += len(picture) - len(self._known.pop(wanted, b""))
        self._known[wanted] = picture
        while self._bytes > self._limit:
            _, forgotten = self._known.popitem(last=False)
            self._bytes -= len(forgotten)


THUMBNAILS: Final = web.AppKey("thumbnails", Thumbnails)
