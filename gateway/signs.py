"""Signs that something happened: one listener on the bus for all who wait for events in this process."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import structlog
from aiohttp import web

from gateway.services import SERVICES
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


SIGNS: Final = web.AppKey("signs", Signs)


async def signs(app: web.Application) -> AsyncIterator[None]:
    """Listen as long as an application runs."""
    app[SIGNS] = Signs(app[SERVICES].bus)
    listening = asyncio.ensure_future(app[SIGNS].listen())
    yield
    listening.cancel()
    await asyncio.wait({listening})


async def end_streams(app: web.Application) -> None:
    """End the streams of an application that shuts down: it would wait for them."""
    app[SIGNS].close()
