"""Waiting for something to become true."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

LOOK_SECONDS = 0.05


async def until(look: Callable[[], Awaitable[T | None]], *, seconds: float) -> T:
    """Look again and again, and return the first answer that is true; raise TimeoutError after some seconds."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):  # noqa: ASYNC110 - what is looked at is in other processes
            await asyncio.sleep(LOOK_SECONDS)
        return found


async def is_set(event: asyncio.Event, *, within: float) -> bool:
    """Return whether an event happens within some seconds."""
    try:
        await asyncio.wait_for(event.wait(), within)
    except TimeoutError:
        return False
    return True
