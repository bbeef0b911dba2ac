"""Signs that something happened: one listener on the bus for all who wait for events in this process."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from schemas.errors import Unavailable
from storage.ports import Bus

AGAIN_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class Signs:
    """Wakes those who wait whenever an event comes over the bus; what the bus loses they find a little later."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._next = asyncio.Event()
        self.is_closed = False

    def sign(self) -> asyncio.Event:
        """Return what the next sign sets: taken before the log is read, it is missed by nobody."""
        return self._next

    async def listen(self) -> None:
        """Listen until cancelled; an outage of the bus delays."""
        while True:
            try:
                async with self._bus.events() as events:
                    async for _ in events:
                        self._wake()
            except Unavailable as error:
                log.debug("nothing is heard of events", error=error.detail)
            except Exception:
                log.exception("listening for events failed")
            await asyncio.sleep(AGAIN_SECONDS)

    def close(self) -> None:
        """Have everyone who waits end."""
        self.is_closed = True
        self._wake()

    def _wake(self) -> None:
        self._next.set()
        self._next = asyncio.Event()


async def comes(sign: asyncio.Event, *, within: float) -> None:
    """Return when a sign comes, or after some seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            await sign.wait()
