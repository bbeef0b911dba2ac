"""Sweeping: every blob that is old and has no name goes, its time looked at once more right before."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pydantic import NonNegativeInt

from schemas.schema import Schema
from storage.collection.digests import Digests
from storage.collection.marks import Watch
from storage.ports import Blobs, StoredBlob

JUDGED_TOGETHER: Final = 10_000
REMOVED_TOGETHER: Final = 32


class Tally(Schema):
    """How many blobs, and how many bytes."""

    blobs: NonNegativeInt = 0
    bytes: NonNegativeInt = 0

    def plus(self, blobs: Sequence[StoredBlob]) -> "Tally":
        """Return this tally with some blobs counted too."""
        return Tally(blobs=self.blobs + len(blobs), bytes=self.bytes + sum(blob.size for blob in blobs))


class Sweep:
    """Looks at every blob that is listed; with ``dry_run`` it only counts."""

    def __init__(self, blobs: Blobs, *, names: Digests, horizon: datetime, dry_run: bool, watch: Watch) -> None:
        self.named = self.young = self.removed = Tally()
        self._blobs = blobs
        self._names = names
        self._horizon = horizon
        self._is_dry = dry_run
        self._watch = watch

    async def run(self) -> None:
        """Remove what is older than the horizon and has no name. Raises Unavailable."""
        waiting: list[StoredBlob] = []
        async for blob in self._blobs.list():
            waiting.append(blob)
            if len(waiting) == JUDGED_TOGETHER:
                await self._judge(waiting)
                waiting.clear()
        await self._judge(waiting)

    async def _judge(self, blobs: Sequence[StoredBlob]) -> None:
        unnamed = await asyncio.to_thread(self._names.missing, blobs)
        without = {blob.digest for blob in unnamed}
        self.named = self.named.plus([blob for blob in blobs if blob.digest not in without])
        self.young = self.young.plus([blob for blob in unnamed if blob.written_at >= self._horizon])
        old = [blob for blob in unnamed if blob.written_at < self._horizon]
        for start in range(0, len(old), REMOVED_TOGETHER):
            await self._remove(old[start : start + REMOVED_TOGETHER])
        self._watch("blobs looked at", self.named.blobs + self.young.blobs + self.removed.blobs)

    async def _remove(self, blobs: Sequence[StoredBlob]) -> None:
        gone = [True] * len(blobs)
        if not self._is_dry:
            removals = (self._blobs.remove(blob.digest, unless_since=self._horizon) for blob in blobs)
            gone = await asyncio.gather(*removals)
        self.removed = self.removed.plus([blob for blob, is_gone in zip(blobs, gone, strict=True) if is_gone])
        self.young = self.young.plus([blob for blob, is_gone in zip(blobs, gone, strict=True) if not is_gone])
