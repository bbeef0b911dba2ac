"""The images of a source, inspected by the pool a few chunks ahead, in their fixed order."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from workers.formats.format import FileRecord
from workers.image_pool import ImagePool
from workers.importing.inspecting import Batch
from workers.importing.job import Job

FIRST: Final = 32
LEAST: Final = 4
MOST: Final = 256
SHORT_SECONDS: Final = 0.1
LONG_SECONDS: Final = 1.0
AHEAD: Final = 2
"""Chunks waiting for each process of the pool, so that none is ever idle."""


class Chunk(NamedTuple):
    """Some records, and what was found of them."""

    records: Sequence[FileRecord]
    batch: Batch


class _Pace:
    """How many images are inspected together: fewer of large ones, so that a task is soon cancelled."""

    def __init__(self) -> None:
        self.images = FIRST

    def took(self, seconds: float) -> None:
        if seconds < SHORT_SECONDS:
            self.images = min(2 * self.images, MOST)
        elif seconds > LONG_SECONDS:
            self.images = max(self.images // 2, LEAST)


async def inspected(
    records: Iterator[FileRecord], *, pool: ImagePool, job: Callable[[tuple[FileRecord, ...]], Job]
) -> AsyncIterator[Chunk]:
    """Yield all records with what the pool found of them; ``job`` says how some of them are to be inspected."""
    ahead: deque[asyncio.Task[list[Chunk]]] = deque()
    pace = _Pace()

    async def inspect(some: tuple[FileRecord, ...]) -> list[Chunk]:
        start = time.monotonic()
        batches = await pool.inspect(job(some))
        # Those that wait in line are not to blame.
        pace.took((time.monotonic() - start) / (AHEAD + 1))
        left = iter(some)
        return [Chunk(tuple(islice(left, len(batch.found))), batch) for batch in batches]

    try:
        while some := await asyncio.to_thread(lambda: tuple(islice(records, pace.images))):
            ahead.append(asyncio.create_task(inspect(some)))
            if len(ahead) > AHEAD * pool.processes:
                for chunk in await ahead.popleft():
                    yield chunk
        while ahead:
            for chunk in await ahead.popleft():
                yield chunk
    finally:
        for task in ahead:
            task.cancel()
        await asyncio.gather(*ahead, return_exceptions=True)
