"""Imports on the embedded stores: every image decoded, hashed, and kept durably on the disk."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from schemas.exchange_parameters import ImportParameters
from tests.bench.measuring import peak_mb, processor_seconds
from tests.bench.place import BenchPlace, a_bench_place, sound
from tests.bench.row import USUAL, Measured, Size
from workers.handlers.ingest import import_files
from workers.image_pool import ImagePool, open_pool
from workers.importing.settings import ImportSettings

RUNS = 3


async def small_voc(folder: Path, size: Size) -> Measured:
    """Import small JPEGs into an empty place."""
    return await _rates(folder, size.small, runs=RUNS)


async def photographs(folder: Path, size: Size) -> Measured:
    """Import photographs into an empty place."""
    return await _rates(folder, size.photographs, runs=RUNS)


async def small_voc_again(folder: Path, size: Size) -> Measured:
    """Import what is there already: how many bytes of images and segments are written."""
    async with open_pool() as pool, places(folder) as (place, *_):
        await imported(place, pool, folder)
        before = await place.stored()
        seconds = await imported(place, pool, folder)
        after = await place.stored()
        moved = sum(size for digest, size in after.items() if digest not in before)
        told = f"{size.small / seconds:,.0f} images/s the second time"
        return Measured(runs=[float(moved)], peak_mb=peak_mb(), told=told)


async def coco(folder: Path, size: Size) -> Measured:
    """Import a COCO document whose images are stored already; each run into a place that has the images alone."""
    rates, spent = [], 0.0
    async with open_pool() as pool, places(folder, count=RUNS if size.coco <= USUAL.coco else 1) as some:
        for place in some:
            await imported(place, pool, folder / "first")
            used = processor_seconds(os.getpid())
            rates.append(size.coco / await imported(place, pool, folder / "again"))
            spent += processor_seconds(os.getpid()) - used
        return Measured(runs=rates, peak_mb=peak_mb(), told=_told(spent, size.coco * len(some)))


async def imported(place: BenchPlace, pool: ImagePool, source: Path) -> float:
    """Import a folder and return the seconds that it took."""
    asked = ImportParameters.model_validate(
        {"dataset": "pictures", "source": {"path": str(source)}, "unknown_classes": "add"}
    )
    settings = ImportSettings(import_roots=(source.parent,))
    work = place.work(asked)
    start = time.perf_counter()
    outcome = await import_files(
        work, library=place.library, blobs=place.blobs, database=place.database, pool=pool, settings=settings
    )
    seconds = time.perf_counter() - start
    sound(outcome)
    return seconds


@asynccontextmanager
async def places(source: Path, *, count: int = 1) -> AsyncIterator[list[BenchPlace]]:
    """Open empty places, all of which go at the end.

    A file system such as ext4 gives the number of a removed file to no other for a while, and looks at all such for
    each new one: a run right after the removal of many files would be measured several times too slow.
    """
    with TemporaryDirectory(dir=source.parent) as scratch:
        async with AsyncExitStack() as stack:
            opened = []
            for number in range(count):
                folder = Path(scratch) / str(number)
                folder.mkdir()
                opened.append(await stack.enter_async_context(a_bench_place(folder)))
            yield opened


async def _rates(source: Path, images: int, *, runs: int) -> Measured:
    async with open_pool() as pool, places(source, count=runs) as some:
        used = processor_seconds(os.getpid())
        rates = [images / await imported(place, pool, source) for place in some]
        spent = processor_seconds(os.getpid()) - used
        return Measured(runs=rates, peak_mb=peak_mb(), told=_told(spent, images * runs))


def _told(spent: float, images: int) -> str:
    return f"{1_000 * spent / images:.2f} core-ms an image; memory: the worker and its processes together"
