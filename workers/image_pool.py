"""Processes that inspect image files; one that dies on a file is replaced, and the file found."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from threading import Thread
from typing import Final, NamedTuple

import structlog
from PIL import Image

from schemas.errors import Fault, Invalid
from storage.datasets.rows import ImageRow
from workers.formats.format import Labels, Parse, ParsePart, Part
from workers.images import BadImage, Limits, inspect_image

SECONDS_AT_MOST: Final = 120
"""How long one file may take before its process is ended."""

log = structlog.get_logger(__name__)


class JobFile(NamedTuple):
    """An image, and what annotates it, if that is read here."""

    image: str
    labels_file: str | None = None
    part: Part | None = None


class Job(NamedTuple):
    """Some images to inspect, each with the file of its annotations if it has one of its own."""

    folder: Path
    parse: Parse | None
    """Reads the files of annotations."""
    files: Sequence[JobFile]
    limits: Limits
    images: bool = True
    """False: only the files of annotations are read."""
    parse_part: ParsePart | None = None


class Inspected(NamedTuple):
    """What became of one image and its annotations."""

    image: ImageRow | BadImage | None
    labels: Labels | None = None
    faults: tuple[Fault, ...] = ()
    """What is wrong with its file of annotations."""


class ImagePool:
    """Inspects images in processes of its own; ``open_pool`` makes one."""

    def __init__(self, *, processes: int) -> None:
        self.processes = processes
        self._executor = _executor(processes)
        self._one_by_one = asyncio.Lock()

    async def inspect(self, job: Job) -> list[Inspected]:
        """Return what each file of a job is, in order; a file on which a process dies is a bad image."""
        executor = self._executor
        try:
            return await asyncio.wrap_future(executor.submit(inspect_files, job))
        except BrokenProcessPool:
            if executor is self._executor:
                log.warning("a process of the image pool died")
                self._executor = _executor(self.processes)
        async with self._one_by_one:
            return await _carefully(job)

    def close(self) -> None:
        """End the processes once they have done what they do now."""
        self._executor.shutdown(wait=True, cancel_futures=True)


@asynccontextmanager
async def open_pool(*, processes: int | None = None) -> AsyncIterator[ImagePool]:
    """Open a pool with as many processes as there are cores, unless told otherwise."""
    pool = ImagePool(processes=processes or os.cpu_count() or 1)
    try:
        yield pool
    finally:
        await asyncio.to_thread(pool.close)


def inspect_files(job: Job) -> list[Inspected]:
    """Return what each file of a job is, in order."""
    return [_inspected(job, file) for file in job.files]


def _inspected(job: Job, file: JobFile) -> Inspected:
    signal.alarm(SECONDS_AT_MOST)
    try:
        row = inspect_image(job.folder / file.image, name=file.image, limits=job.limits) if job.images else None
        if file.labels_file is None:
            return Inspected(row)
        try:
            return Inspected(row, _labels(job, file, row if isinstance(row, ImageRow) else None))
        except Invalid as error:
            return Inspected(row, faults=error.faults)
        except OSError as error:
            return Inspected(row, faults=(Fault(f"cannot be read: {error.strerror}", file.labels_file),))
    finally:
        signal.alarm(0)


def _labels(job: Job, file: JobFile, image: ImageRow | None) -> Labels | None:
    name = file.labels_file or ""
    if file.part is not None and job.parse_part is not None:
        return job.parse_part(job.folder / name, name=name, image=image, part=file.part)
    return None if job.parse is None else job.parse(job.folder / name, name=name, image=image)


def _executor(processes: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return ProcessPoolExecutor(processes, mp_context=context, initializer=_begin)


def _begin() -> None:
    """Make this process end with the one that it works for, and not before."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    # The limit is ours, given with each job.
    Image.MAX_IMAGE_PIXELS = None
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


async def _carefully(job: Job) -> list[Inspected]:
    """Inspect a job on which a process may have died: in halves of halves, until the file is alone."""
    executor = _executor(1)
    try:
        return await asyncio.wrap_future(executor.submit(inspect_files, job))
    except BrokenProcessPool:
        if len(job.files) == 1:
            reason = f"the process that decoded it died, or took more than {SECONDS_AT_MOST} s"
            return [Inspected(BadImage(job.files[0].image, reason))]
    finally:
        await asyncio.to_thread(partial(executor.shutdown, wait=True, cancel_futures=True))
    half = len(job.files) // 2
    halves: Iterable[Sequence[JobFile]] = (job.files[:half], job.files[half:])
    return [inspected for files in halves for inspected in await _carefully(job._replace(files=files))]
