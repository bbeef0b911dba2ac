"""Imports into an S3 server, and a merge of what lies there; documents are in SQLite, beside the source."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from schemas.algebra_parameters import Strategy
from storage.ports import Blobs
from storage.s3 import open_blobs
from tests.bench.algebra import merged
from tests.bench.importing import imported
from tests.bench.measuring import peak_mb, timed
from tests.bench.place import BenchPlace, a_bench_place, sound
from tests.bench.row import Measured, Size
from tests.servers.found import S3, settings_of
from workers.image_pool import open_pool

RUNS: Final = 3


async def small_voc(folder: Path, size: Size) -> Measured:
    """Import small JPEGs into an empty bucket."""
    rates = []
    async with open_pool() as pool:
        for _ in range(RUNS):
            async with _an_s3_place(folder.parent) as place:
                rates.append(size.small / await imported(place, pool, folder))
        return Measured(runs=rates, peak_mb=peak_mb(), told="memory: the worker and its decoding processes together")


async def small_voc_again(folder: Path, size: Size) -> Measured:
    """Import what is there already: how many bytes of images and segments are written."""
    async with open_pool() as pool, _an_s3_place(folder.parent) as place:
        await imported(place, pool, folder)
        before = await place.stored()
        seconds = await imported(place, pool, folder)
        moved = sum(size for digest, size in (await place.stored()).items() if digest not in before)
        return Measured(runs=[float(moved)], peak_mb=peak_mb(), told=f"{size.small / seconds:,.0f} images/s, again")


async def merge_cold(folder: Path, _: Size) -> Measured:
    """Merge two large versions of which the worker has nothing yet, neither in memory nor on its disk."""
    async with a_bench_place(folder) as beside, _a_bucket(folder) as blobs:
        for digest in await beside.stored():
            await blobs.put(await beside.blobs.get(digest))
        before = await BenchPlace(folder, beside.database, blobs).stored()

        async def act() -> None:
            sound(await merged(BenchPlace(folder, beside.database, blobs), "guest", Strategy.HOST))

        async def forget() -> None:
            await BenchPlace(folder, beside.database, blobs).forget_all_but(before)

        return Measured(runs=await timed(act, runs=RUNS, after=forget), peak_mb=peak_mb())


@asynccontextmanager
async def _an_s3_place(folder: Path) -> AsyncIterator[BenchPlace]:
    with TemporaryDirectory(dir=folder) as scratch:
        async with _a_bucket(Path(scratch)) as blobs, a_bench_place(Path(scratch), blobs) as place:
            yield place


@asynccontextmanager
async def _a_bucket(folder: Path) -> AsyncIterator[Blobs]:
    """Open a prefix that nobody else uses, on the server of the environment or one that is started meanwhile."""
    with TemporaryDirectory(dir=folder) as place, settings_of(S3, Path(place)) as settings:
        url = f"{settings[S3.setting]}/{secrets.token_hex(8)}"
        access_key, secret_key = settings["YMIR_S3_ACCESS_KEY"], settings["YMIR_S3_SECRET_KEY"]
        async with open_blobs(url, access_key=access_key, secret_key=secret_key) as blobs:
            yield blobs
