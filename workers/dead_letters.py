"""Dead letters: what came over the bus and is none of ours becomes documents that people can look at."""

import asyncio
from typing import Final

import structlog

from schemas.blobs import BlobRef
from schemas.errors import Conflict, Invalid, NotFound, Unavailable
from schemas.letters import DeadLetter, ForeignMessage
from storage.ports import Blobs, Bus, Clock, Database
from workers.metrics import DEAD_LETTERS

AGAIN_SECONDS: Final = 1.0
MOST_AGAIN_SECONDS: Final = 30.0

log = structlog.get_logger(__name__)


class DeadLetters:
    """Keeps what waits in the queue of dead letters; as many workers as there are may do so."""

    def __init__(self, *, database: Database, blobs: Blobs, bus: Bus, clock: Clock) -> None:
        self._letters = database.documents(DeadLetter)
        self._blobs = blobs
        self._bus = bus
        self._now = clock

    async def run(self) -> None:
        """Keep dead letters until cancelled; one that cannot be kept now waits in its queue."""
        pause = AGAIN_SECONDS
        while True:
            try:
                async with self._bus.dead_letters() as letters:
                    async for delivery in letters:
                        letter = await self._kept(delivery.message)
                        await delivery.acknowledge()
                        DEAD_LETTERS.inc()
                        log.warning("a dead letter was kept", letter=letter.id, times=letter.times, queue=letter.queue)
                        pause = AGAIN_SECONDS
            except (Invalid, Unavailable) as error:
                log.warning("dead letters wait", error=error.detail, step=error.step, seconds=pause)
            except Exception:
                log.exception("a dead letter could not be kept", seconds=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, MOST_AGAIN_SECONDS)

    async def _kept(self, message: ForeignMessage) -> DeadLetter:
        body = await self._blobs.put(message.body)
        while True:
            try:
                return await self._counted(message, body)
            except (Conflict, NotFound):
                continue  # another worker was faster, or somebody removes it just now

    async def _counted(self, message: ForeignMessage, body: BlobRef) -> DeadLetter:
        letter = DeadLetter.of(message, body=body, at=self._now())
        if known := await self._letters.get_many([letter.id]):
            letter = known[0].came_again(at=self._now())
            await self._letters.replace(letter, was=known[0])
        else:
            await self._letters.add(letter)
        return letter
