"""Doing at start what needs a server that may not be there yet."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from schemas.errors import YmirError

FIRST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 30.0

log = structlog.get_logger(__name__)


async def insist(work: Callable[[], Awaitable[object]], *, what: str) -> None:
    """Do something, again and again with longer pauses while a server is away or refuses us."""
    pause = FIRST_SECONDS
    while True:
        try:
            await work()
        except YmirError as error:
            log.warning("a server is waited for", by=what, error=error.detail, step=error.step, seconds=pause)
        else:
            return
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_SECONDS)
