"""Two lines of work on a large version: merged three ways, and the differences of one listed."""

from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from schemas.algebra_parameters import MergeParameters, OnConflict
from schemas.annotations import GROUND_TRUTH
from schemas.outcomes import Outcome
from storage.datasets.asset_ids import AssetIds, asset_ids_of
from storage.datasets.changes import ChangeQuery
from storage.datasets.content import Content, LayerContent
from storage.datasets.lookup import annotations_of
from storage.datasets.rows import AnnotationRow, ImageRow
from storage.datasets.segments import build_segment
from storage.datasets.selections import all_rows
from tests.bench.algebra import PAGE, handled
from tests.bench.measuring import peak_mb, timed
from tests.bench.place import BenchPlace, a_bench_place, named, sound
from tests.bench.row import Measured, Size
from tests.bench.synthetic import keep_version, some_assets
from workers.handlers.merge import merge

CHANGED: Final = 0.01
BOTH: Final = 0.1
"""The part of the changed images that both lines changed."""

Rows = tuple[AnnotationRow, ...]


async def prepare(folder: Path, size: Size) -> None:
    """Make a version and two lines of it that edited, removed and added boxes on a hundredth of its images each."""
    random = np.random.default_rng(0)
    assets = some_assets(random, size.images)
    changed = max(10, int(size.images * CHANGED))
    both = int(changed * BOTH)
    async with a_bench_place(folder) as place:
        await keep_version(place, "base", assets, random)
        await _keep_line(place, "ours", assets[:changed], random)
        await _keep_line(place, "theirs", assets[changed - both : 2 * changed - both], random)
        await _keep_line(place, "same", assets[:changed], random)


async def merge_lines(folder: Path, _: Size) -> Measured:
    """Merge two lines that each changed a hundredth, a tenth of that both."""
    return await _measured(folder, "theirs")


async def merge_same(folder: Path, _: Size) -> Measured:
    """Merge two lines that changed the same hundredth in different ways."""
    return await _measured(folder, "same")


async def page_of_changes(folder: Path, _: Size) -> Measured:
    """List fifty assets that differ between a version and a line of it, from somewhere in the middle."""
    async with a_bench_place(folder) as place:
        digests = [(await place.library.version(named(name))).digest for name in ("base", "ours")]
        listed = partial(place.library.changes, *digests, query=ChangeQuery(), limit=PAGE, cursor="40" + "00" * 31)
        page = await listed()
        if len(page.diffs) != PAGE:
            message = f"{len(page.diffs)} assets instead of {PAGE}"
            raise RuntimeError(message)
        return Measured(runs=[1_000 * seconds for seconds in await timed(listed)], peak_mb=peak_mb())


async def _measured(folder: Path, theirs: str) -> Measured:
    async with a_bench_place(folder) as place:
        runs, peak = await handled(place, partial(_merged, place, theirs))
        summary = (await _merged(place, theirs)).result.summary
        layer = summary["layers"]
        told = f"{summary['conflicts']} conflicts, {layer[GROUND_TRUTH]['merged']} images merged by annotation"  # type: ignore[index,call-overload]
        return Measured(runs=runs, peak_mb=peak, told=told)


async def _merged(place: BenchPlace, theirs: str) -> Outcome:
    asked = MergeParameters(dataset="both", ours="ours", theirs="theirs", base="base", on_conflict=OnConflict.OURS)
    work = place.work(asked, _ours="ours", _theirs=theirs, _base="base")
    return sound(await merge(work, library=place.library, blobs=place.blobs, database=place.database))


async def _keep_line(place: BenchPlace, name: str, assets: np.ndarray, random: np.random.Generator) -> None:
    content = await place.content("base")
    masks = content.layer_masks(GROUND_TRUTH)
    changed = asset_ids_of([bytes(asset) for asset in assets])
    found = await annotations_of(changed, masks, library=place.library)
    rows = [_edited(list(known or ()), random) for known in found]
    images = [ImageRow(bytes(asset)) for asset in changed.ids]
    built = build_segment(images, rows, layer=GROUND_TRUTH, described=False)
    ids = await place.library.asset_ids(content)
    kept = {segment: mask & ~_among(ids[segment], changed) for segment, mask in masks.items()}
    kept[await place.library.keep_segment(built)] = all_rows(len(images))
    line = Content(content.images, {GROUND_TRUTH: LayerContent(kept)})
    await place.name(name, await place.library.keep(line))


def _among(assets: AssetIds, wanted: AssetIds) -> np.ndarray:
    return np.isin(assets.prefixes, wanted.prefixes)


def _edited(rows: list[AnnotationRow], random: np.random.Generator) -> Rows:
    """Return the boxes of an image with one moved, perhaps one removed, and one added."""
    if rows:
        place = int(random.integers(len(rows)))
        x, y, width, height = rows[place].box or (0.0, 0.0, 1.0, 1.0)
        rows[place] = rows[place]._replace(box=(x + float(random.random()), y, width, height))
        if random.random() < CHANGED:
            rows.pop()
    x, y = random.random(2) * 400
    return (*rows, AnnotationRow("class01", (float(x), float(y), 30.0, 30.0)))
