"""Imports on the embedded stores: every image decoded, hashed, and kept durably on the disk."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from schemas.exchange_parameters import ImportParameters
from tests.bench.measuring import peak_mb
from tests.bench.place import BenchPlace, a_bench_place, sound
from tests.bench.row import Measured, Size
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
    async with open_pool() as pool:
        with TemporaryDirectory(dir=folder.parent) as scratch:
            async with a_bench_place(Path(scratch)) as place:
                await imported(place, pool, folder)
                before = await place.stored()
                seconds = await imported(place, pool, folder)
                after = await place.stored()
                moved = sum(size for digest, size in after.items() if digest not in before)
                told = f"{size.small / seconds:,.0f} images/s the second time"
                return Measured(runs=[float(moved)], peak_mb=peak_mb(), told=told)


async def coco(folder: Path, size: Size) -> Measured:
    """Import a COCO document whose images are stored already; each run into a place that has the images alone."""
    rates = []
    async with open_pool() as pool:
        for _ in range(RUNS if size.coco <= 20_000 else 1):
            with TemporaryDirectory(dir=folder.parent) as scratch:
                async with a_bench_place(Path(scratch)) as place:
                    await imported(place, pool, folder / "first")
                    rates.append(size.coco / await imported(place, pool, folder / "again"))
        return Measured(runs=rates, peak_mb=peak_mb())


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


async def _rates(source: Path, images: int, *, runs: int) -> Measured:
    rates = []
    async with open_pool() as pool:
        for _ in range(runs):
            with TemporaryDirectory(dir=source.parent) as scratch:
                async with a_bench_place(Path(scratch)) as place:
                    rates.append(images / await imported(place, pool, source))
        return Measured(runs=rates, peak_mb=peak_mb(), told="memory: the worker and its decoding processes together")
