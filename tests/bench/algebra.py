"""The algebra on large versions: handlers as the consumer runs them, segments in the worker's memory."""

import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

from schemas.algebra_parameters import FilterParameters, MergeParameters, SampleParameters, Strategy
from schemas.outcomes import Outcome
from schemas.refs import Source
from schemas.splits import Split
from storage.datasets.library import Library
from storage.datasets.listing import AssetQuery
from storage.datasets.statistics import statistics_of
from tests.bench import limits
from tests.bench.measuring import limit_of, peak_mb, timed
from tests.bench.place import BenchPlace, a_bench_place, named, sound
from tests.bench.row import Measured, Size
from workers.handlers.transform import transform

INCLUDED: Final = "class03"
EXCLUDED: Final = "class05"
SAMPLED: Final = 0.1
PAGE: Final = 50
COLD_RUNS: Final = 3
CHANGE_STORED: Final = 0.02


async def merge(folder: Path, _: Size) -> Measured:
    """Merge two versions that have a tenth of their images in common; what is theirs twice, the host decides."""
    async with a_bench_place(folder) as place:
        runs, peak = await handled(place, partial(merged, place, "guest", Strategy.HOST))
        host, guest = [await limits.bare(await place.content(name), place.library) for name in ("host", "guest")]
        return Measured(runs=runs, peak_mb=peak, limit=await limit_of(lambda: limits.merge(host, guest)))


async def merge_change(folder: Path, _: Size) -> Measured:
    """Merge a small change, and look at what that takes on the disk."""
    async with a_bench_place(folder) as place:
        whole, change = [await _segment_bytes(place, name) for name in ("host", "change")]
        before = await place.stored()
        sound(await merged(place, "change", Strategy.GUEST))
        after = await place.stored()
        added = sum(after.values()) - sum(before.values())
        await place.forget_all_but(before)
        runs, peak = await handled(place, partial(merged, place, "change", Strategy.GUEST))
    share, total = added / whole, (added + change) / whole
    told = f"storage added: {100 * share:.2f} % of the version's by the merge, {100 * total:.2f} % with the change"
    wrong = "" if total <= CHANGE_STORED else "storage added is more than 2 %"
    return Measured(runs=runs, peak_mb=peak, told=told, wrong=wrong)


async def keep(folder: Path, _: Size) -> Measured:
    """Keep the images with one class and without another."""
    async with a_bench_place(folder) as place:
        asked = FilterParameters(dataset="few", source="host", include_classes=(INCLUDED,), exclude_classes=(EXCLUDED,))

        def act() -> Awaitable[Outcome]:
            work = place.work(asked, _source="host")
            return transform(work, library=place.library, blobs=place.blobs, database=place.database)

        runs, peak = await handled(place, act)
        host = await limits.bare(await place.content("host"), place.library)
        limit = await limit_of(lambda: limits.keep_classes(host, INCLUDED, EXCLUDED))
        return Measured(runs=runs, peak_mb=peak, limit=limit)


async def sample(folder: Path, size: Size) -> Measured:
    """Keep a tenth of the images."""
    async with a_bench_place(folder) as place:
        asked = SampleParameters(dataset="few", source="host", rate=SAMPLED)

        def act() -> Awaitable[Outcome]:
            work = place.work(asked, _source="host")
            return transform(work, library=place.library, blobs=place.blobs, database=place.database)

        runs, peak = await handled(place, act)
        host = await limits.bare(await place.content("host"), place.library)
        limit = await limit_of(lambda: limits.sample(host, int(size.images * SAMPLED)))
        return Measured(runs=runs, peak_mb=peak, limit=limit)


async def statistics(folder: Path, _: Size) -> Measured:
    """Compute all statistics anew."""
    async with a_bench_place(folder) as place:
        content = await place.content("host")
        ids = await place.library.asset_ids(content)
        compute = partial(statistics_of, content, ids=ids, library=place.library)
        await compute()
        runs, peak = await timed(compute), peak_mb()
        host = await limits.bare(content, place.library)
        return Measured(runs=runs, peak_mb=peak, limit=await limit_of(lambda: limits.statistics(host)))


async def page_warm(folder: Path, _: Size) -> Measured:
    """List fifty assets with their annotations, their columns in memory."""
    async with a_bench_place(folder) as place:
        await _page(place.library)
        runs = await timed(lambda: _page(place.library))
        return Measured(runs=[1_000 * seconds for seconds in runs], peak_mb=peak_mb())


async def page_cold(folder: Path, _: Size) -> Measured:
    """List fifty assets when nothing is in memory, and the files are not in the page cache either."""
    async with a_bench_place(folder) as place:

        async def cold() -> None:
            await _page(Library(place.database, place.blobs))

        async def forget() -> None:
            _out_of_page_cache(place.folder)

        await forget()
        return Measured(runs=await timed(cold, runs=COLD_RUNS, after=forget), peak_mb=peak_mb())


async def page_rare_warm(folder: Path, _: Size) -> Measured:
    """Look for a class that no image has and a part of a name that few have: every row is looked at."""
    async with a_bench_place(folder) as place:
        await _rare_page(place.library)
        runs = await timed(lambda: _rare_page(place.library))
        return Measured(runs=[1_000 * seconds for seconds in runs], peak_mb=peak_mb())


async def page_rare_cold(folder: Path, _: Size) -> Measured:
    """Do the same when nothing is in memory, and the files are not in the page cache either."""
    async with a_bench_place(folder) as place:

        async def cold() -> None:
            await _rare_page(Library(place.database, place.blobs))

        async def forget() -> None:
            _out_of_page_cache(place.folder)

        await forget()
        return Measured(runs=await timed(cold, runs=COLD_RUNS, after=forget), peak_mb=peak_mb())


async def _rare_page(library: Library) -> None:
    content = await library.content((await library.version(named("host"))).digest)
    for query in (AssetQuery(classes=("absent",)), AssetQuery(name="99999", splits=(Split.TRAINING,))):
        found = await library.page(content, query=query, limit=PAGE)
        if len(found.rows) >= PAGE:
            message = f"{len(found.rows)} assets are too many"
            raise RuntimeError(message)


async def merged(place: BenchPlace, other: str, strategy: Strategy) -> Outcome:
    """Merge the large version with another one."""
    sources = (Source(ref="host"), Source(ref=other))
    asked = MergeParameters(dataset="both", sources=sources, strategy=strategy)
    work = place.work(asked, _sources_0_ref="host", _sources_1_ref=other)
    return await transform(work, library=place.library, blobs=place.blobs, database=place.database)


async def handled(place: BenchPlace, act: Callable[[], Awaitable[Outcome]]) -> tuple[list[float], float]:
    """Return the seconds of each run of a handler, what it kept forgotten after each, and the peak of memory."""
    before = await place.stored()

    async def forget() -> None:
        await place.forget_all_but(before)

    sound(await act())  # its columns are in memory from then on
    await forget()
    runs = await timed(act, after=forget)
    return runs, peak_mb()


async def _segment_bytes(place: BenchPlace, name: str) -> int:
    readers = await place.library.segments((await place.content(name)).segments())
    return sum(reader.document.images.size + reader.document.annotations.size for reader in readers.values())


async def _page(library: Library) -> None:
    content = await library.content((await library.version(named("host"))).digest)
    found = await library.page(content, limit=PAGE)
    if len(found.rows) != PAGE:
        message = f"{len(found.rows)} assets instead of {PAGE}"
        raise RuntimeError(message)


def _out_of_page_cache(folder: Path) -> None:
    for path in (folder / "blobs").rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
