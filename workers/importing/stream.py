"""The images of a source, inspected by the pool a few chunks ahead, in their fixed order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from workers.formats.format import FileRecord
from workers.image_pool import ImagePool, Inspected, Job, JobFile

CHUNK: Final = 50
AHEAD: Final = 2
"""Chunks waiting for each process of the pool, so that none is ever idle."""


class Chunk(NamedTuple):
    """Some records, and what was found of each."""

    records: Sequence[FileRecord]
    found: Sequence[Inspected]


async def inspected(
    records: Iterator[FileRecord], *, pool: ImagePool, job: Callable[[Sequence[JobFile]], Job]
) -> AsyncIterator[Chunk]:
    """Yield all records with what the pool found of them; ``job`` says how some files are to be inspected."""
    ahead: deque[asyncio.Task[Chunk]] = deque()

    async def inspect(some: list[FileRecord]) -> Chunk:
        return await _inspect(some, pool, job)

    try:
        while some := await asyncio.to_thread(lambda: list(islice(records, CHUNK))):
            ahead.append(asyncio.create_task(inspect(some)))
            if len(ahead) > AHEAD * pool.processes:
                yield await ahead.popleft()
        while ahead:
            yield await ahead.popleft()
    finally:
        for task in ahead:
            task.cancel()
        await asyncio.gather(*ahead, return_exceptions=True)


async def _inspect(records: list[FileRecord], pool: ImagePool, job: Callable[[Sequence[JobFile]], Job]) -> Chunk:
    wanted = job([JobFile(record.image, record.labels_file, record.part) for record in records])
    if not wanted.images and not any(record.labels_file for record in records):
        return Chunk(records, [Inspected(None)] * len(records))
    return Chunk(records, await pool.inspect(wanted))
