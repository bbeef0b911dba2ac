"""Thumbnails: drawn in threads, a few at a time, and remembered up to a number of bytes."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from aiohttp import web

from gateway.drawing import thumbnail
from gateway.settings import GatewaySettings
from schemas.schema import AssetId, Digest
from storage.datasets.rows import AnnotationRow
from storage.ports import Blobs


class Wanted(NamedTuple):
    """Which picture is meant; equal values are the same picture for ever."""

    version: Digest
    asset: AssetId
    size: int
    layers: tuple[str, ...]
    confidence: float


class Thumbnails:
    """Pictures drawn lately, and the few threads that draw others."""

    def __init__(self, blobs: Blobs, settings: GatewaySettings) -> None:
        self._blobs = blobs
        self._slots = asyncio.Semaphore(settings.draw_at_once)
        self._limit = settings.thumbnail_cache_bytes
        self._bytes = 0
        self._known: OrderedDict[Wanted, bytes] = OrderedDict()

    @property
    def slots(self) -> asyncio.Semaphore:
        """What every drawing takes one of while it is drawn."""
        return self._slots

    async def draw(self, wanted: Wanted, annotations: Callable[[], Awaitable[Sequence[AnnotationRow]]]) -> bytes:
        """Return a picture as JPEG; ``annotations`` is called only if it has to be drawn. Raises what that does."""
        if wanted in self._known:
            self._known.move_to_end(wanted)
            return self._known[wanted]
        rows = await annotations()
        async with self._slots:
            data = await self._blobs.get(f"sha256:{wanted.asset}")
            drawn = await asyncio.to_thread(thumbnail, data, size=wanted.size, annotations=rows, subject=wanted.asset)
        self._remember(wanted, drawn)
        return drawn

    def _remember(self, wanted: Wanted, drawn: bytes) -> None:
        self._bytes += len(drawn) - len(self._known.pop(wanted, b""))
        self._known[wanted] = drawn
        while self._bytes > self._limit:
            _, forgotten = self._known.popitem(last=False)
            self._bytes -= len(forgotten)


THUMBNAILS: Final = web.AppKey("thumbnails", Thumbnails)
