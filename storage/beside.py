"""Jobs that run beside something for as long as it lasts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


@asynccontextmanager
async def beside(*jobs: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run jobs until the end, and cancel them then; each has to see to its own errors."""
    # No TaskGroup: it would wrap what is raised while the rest of the process starts.
    running = [asyncio.ensure_future(job()) for job in jobs]
    try:
        yield
    finally:
        for job in running:
            job.cancel()
        await asyncio.wait(running)
