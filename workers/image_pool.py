"""Processes that work on image files; one that dies on a file is replaced, and at inspection the file found."""

import asyncio
import multiprocessing
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, TypeVar

import structlog

from schemas.errors import Unavailable
from workers.images import BadImage
from workers.importing.inspecting import SECONDS_AT_MOST, Batch, Found, inspect_files
from workers.importing.job import Job
from workers.importing.knowledge import Knowledge
from workers.pool_process import begin

CANCELLED_SECONDS: Final = 5.0

log = structlog.get_logger(__name__)

T = TypeVar("T")


class ImagePool:
    """Inspects images in processes of its own; ``open_pool`` makes one."""

    def __init__(self, *, processes: int) -> None:
        self.processes = processes
        self._executor = _executor(processes)
        self._one_by_one = asyncio.Lock()
        self.knowledge = Knowledge()
        """Of images that were inspected before, in this process or any other."""

    async def inspect(self, job: Job) -> list[Batch]:
        """Return what the images of a job are, in order; a file on which a process dies is a bad image."""
        executor = self._executor
        try:
            return [await asyncio.wrap_future(executor.submit(inspect_files, job))]
        except BrokenProcessPool:
            if executor is self._executor:
                log.warning("a process of the image pool died")
                self._executor = _executor(self.processes)
        async with self._one_by_one:
            return await _carefully(job)

    async def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Return what a function of a module makes of its arguments; raise Unavailable if its process dies of it.

        Cancelled, it waits some seconds for a function that runs already, and may write what the caller clears away.
        """
        executor = self._executor
        try:
            return await _unless_cancelled(executor.submit(function, *arguments))
        except BrokenProcessPool as error:
            if executor is self._executor:
                log.warning("a process of the image pool died")
                self._executor = _executor(self.processes)
            raise Unavailable("A process that worked on files died.", step="See whether memory ran out.") from error

    def close(self) -> None:
        """End the processes once they have done what they do now."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self.knowledge.close()


@asynccontextmanager
async def open_pool(*, processes: int | None = None) -> AsyncIterator[ImagePool]:
    """Open a pool with as many processes as there are cores, unless told otherwise."""
    pool = ImagePool(processes=processes or os.cpu_count() or 1)
    try:
        yield pool
    finally:
        await asyncio.to_thread(pool.close)


def _executor(processes: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([inspect_files.__module__, begin.__module__])
    return ProcessPoolExecutor(processes, mp_context=context, initializer=begin)


async def _unless_cancelled(job: Future[T]) -> T:
    result = asyncio.wrap_future(job)
    try:
        return await asyncio.shield(result)
    except asyncio.CancelledError:
        if not job.cancel():
            await asyncio.wait({result}, timeout=CANCELLED_SECONDS)
        raise
    finally:
        # What it raised after all is nobody's concern.
        result.add_done_callback(lambda done: done.cancelled() or done.exception())


async def _carefully(job: Job) -> list[Batch]:
    """Inspect a job on which a process may have died: in halves of halves, until the file is alone."""
    executor = _executor(1)
    try:
        return [await asyncio.wrap_future(executor.submit(inspect_files, job))]
    except BrokenProcessPool:
        if len(job.records) == 1:
            reason = f"the process that decoded it died, or took more than {SECONDS_AT_MOST} s"
            return [Batch((Found(BadImage(job.records[0].image, reason)),), {})]
    finally:
        await asyncio.to_thread(partial(executor.shutdown, wait=True, cancel_futures=True))
    half = len(job.records) // 2
    halves = (job.records[:half], job.records[half:])
    return [batch for records in halves for batch in await _carefully(job._replace(records=records))]
