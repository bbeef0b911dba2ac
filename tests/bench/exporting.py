"""Exports of annotations without their images."""

from pathlib import Path

import numpy as np

from schemas.exchange_parameters import ExportParameters
from tests.bench.measuring import peak_mb, timed
from tests.bench.place import a_bench_place, sound
from tests.bench.row import Measured, Size
from tests.bench.synthetic import CLASSES, keep_version, some_assets
from workers.handlers.export import export


async def prepare(folder: Path, size: Size) -> None:
    """Make a version of images with 7.3 boxes each."""
    random = np.random.default_rng(0)
    async with a_bench_place(folder) as place:
        await keep_version(place, "all", some_assets(random, size.small), random)


async def coco(folder: Path, _: Size) -> Measured:
    """Export one COCO document."""
    return await _exported(folder, "coco")


async def voc(folder: Path, _: Size) -> Measured:
    """Export a VOC file for each image."""
    return await _exported(folder, "voc")


async def _exported(folder: Path, form: str) -> Measured:
    async with a_bench_place(folder) as place:
        asked = ExportParameters(source="all", format=form, images=False, classes=CLASSES)
        before = await place.stored()

        async def act() -> None:
            work = place.work(asked, _source="all")
            sound(await export(work, library=place.library, blobs=place.blobs, database=place.database))

        async def forget() -> None:
            await place.forget_all_but(before)

        await act()
        await forget()
        return Measured(runs=await timed(act, after=forget), peak_mb=peak_mb())
