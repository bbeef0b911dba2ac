"""How long the algebra takes, and how much memory, beside the bare columnar limit: `python -m tests.bench_datasets`."""

import argparse
import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.annotations import GROUND_TRUTH
from schemas.manifests import SEGMENT_IMAGES
from schemas.parameters import Conditions, Portion, Strategy
from schemas.splits import Split
from storage.datasets.asset_ids import words_of
from storage.datasets.columns import ANNOTATION_COLUMNS, ASSET_COLUMNS, BOX, DESCRIPTION_COLUMNS, fixed_bytes
from storage.datasets.content import Content, LayerContent
from storage.datasets.filter import filtered
from storage.datasets.library import Library
from storage.datasets.merge import MergeSource, merged
from storage.datasets.rows import AnnotationRow, ImageRow
from storage.datasets.sample import sampled
from storage.datasets.segments import BuiltSegment, assembled, build_segment
from storage.datasets.selections import all_rows
from storage.datasets.split import dealt
from storage.datasets.statistics import statistics_of
from storage.folder import FolderBlobs
from storage.sqlite import open_database

PER_IMAGE: Final = 7.3
CLASSES: Final = 80
OVERLAP: Final = 0.1
CHANGE: Final = 0.01
Ids = NDArray[np.uint8]


class Row(NamedTuple):
    """One line of the table."""

    work: str
    seconds: float
    limit_seconds: float | None
    peak_mib: int
    budget: str


class Bench:
    """Two versions, a small change, and what is measured on them."""

    def __init__(self, library: Library, images: int) -> None:
        self.library = library
        self.images = images
        self.rows: list[Row] = []

    async def run(self) -> None:
        """Measure everything."""
        random = np.random.default_rng(0)
        host_ids, more_ids = _random_ids(random, self.images), _random_ids(random, self.images)
        common = int(self.images * OVERLAP)
        guest_ids = np.concatenate([host_ids[:common], more_ids[common:]])
        change_ids = np.concatenate(
            [host_ids[: int(self.images * CHANGE / 2)], more_ids[: int(self.images * CHANGE / 2)]]
        )
        host, guest, change = [await self._content(random, ids) for ids in (host_ids, guest_ids, change_ids)]
        ids = await self.library.asset_ids(host, guest, change)
        prefixes = [words_of(part)[:, 0].copy() for part in (host_ids, guest_ids)]

        await self._timed(
            "merge, 10 % overlap, and keep",
            lambda: self._merge(host, guest),
            "1.0 s",
            lambda: _bare_union(*prefixes),
        )
        await self._timed(
            "  merge alone",
            lambda: asyncio.to_thread(merged, [MergeSource(host), MergeSource(guest)], strategy=Strategy.HOST, ids=ids),
            "",
        )
        await self._timed("merge a 1 % change, and keep", lambda: self._merge(host, change), "0.5 s")
        codes = await self._codes(host)
        conditions = Conditions(include_classes=("class3",), exclude_classes=("class5",))
        await self._timed(
            "filter by two classes",
            lambda: filtered(host, conditions, ids=ids, library=self.library),
            "0.5 s",
            lambda: _bare_filter(codes),
        )
        await self._timed(
            "sample 10 %",
            lambda: asyncio.to_thread(sampled, host, Portion(rate=0.1), ids=ids),
            "0.2 s",
            lambda: np.partition(prefixes[0] * np.uint64(0x9E3779B97F4A7C15), self.images // 10),
        )
        await self._timed(
            "split in three", lambda: asyncio.to_thread(dealt, host, training=0.7, validation=0.2, ids=ids), ""
        )
        await self._timed(
            "statistics",
            lambda: statistics_of(host, ids=ids, library=self.library),
            "0.5 s",
            lambda: [np.bincount(one) for one in codes],
        )
        await self._timed("page of 50 assets", lambda: self.library.page(host), "0.1 s")
        await self._timed("keep", lambda: self.library.keep(host), "")
        await self._build()

    async def _merge(self, left: Content, right: Content) -> None:
        ids = await self.library.asset_ids(left, right)
        sources = [MergeSource(left), MergeSource(right)]
        result = await asyncio.to_thread(merged, sources, strategy=Strategy.HOST, ids=ids)
        await self.library.keep(result.content)

    async def _codes(self, content: Content) -> list[NDArray[np.int32]]:
        readers = await self.library.segments(content.segments())
        return [(await reader.classes()).codes for reader in readers.values()]

    async def _content(self, random: np.random.Generator, ids: Ids) -> Content:
        masks = {}
        for start in range(0, len(ids), SEGMENT_IMAGES):
            built = _segment(random, ids[start : start + SEGMENT_IMAGES])
            masks[await self.library.keep_segment(built)] = all_rows(built.document.image_rows)
        return Content({Split.TRAINING: masks}, {GROUND_TRUTH: LayerContent(masks)})

    async def _build(self) -> None:
        random = np.random.default_rng(1)
        count = min(self.images, SEGMENT_IMAGES) // 4
        images = [
            ImageRow(bytes(asset), f"{row}.jpg", 640, 480) for row, asset in enumerate(_random_ids(random, count))
        ]
        rows = [
            [AnnotationRow(f"class{number % CLASSES}", (float(number), 1.0, 2.0, 3.0)) for number in range(many)]
            for many in random.poisson(PER_IMAGE, count)
        ]
        work = f"build a segment of {sum(map(len, rows))} annotations"
        await self._timed(
            work, lambda: asyncio.to_thread(build_segment, images, rows, layer=GROUND_TRUTH, described=True), ""
        )

    async def _timed(
        self, work: str, call: Callable[[], Awaitable[Any]], budget: str, limit: Callable[[], Any] | None = None
    ) -> None:
        await call()  # warm: columns are in memory by now
        limit_seconds = None if limit is None else _seconds(limit)
        gc.collect()
        _forget_peak()
        start = time.perf_counter()
        await call()
        self.rows.append(Row(work, time.perf_counter() - start, limit_seconds, _peak_mib(), budget))
        _say(_line(self.rows[-1]))


def main(argv: Sequence[str]) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    images = parser.parse_args(argv).images
    _say(f"{images} images with {PER_IMAGE} annotations each; budgets are for 1,000,000")
    _say(f"{'work':44}{'seconds':>9}{'limit':>9}{'peak MiB':>10}{'budget':>8}")
    asyncio.run(measured(images))


async def measured(images: int) -> list[Row]:
    """Return the lines of the table for so many images, in a library of its own."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_database(Path(folder) / "ymir.db") as database:
            bench = Bench(Library(database, FolderBlobs(Path(folder) / "blobs")), images)
            await bench.run()
            return bench.rows


def _segment(random: np.random.Generator, ids: Ids) -> BuiltSegment:
    order = np.argsort(np.ascontiguousarray(ids).view("S32").ravel())
    counts = random.poisson(PER_IMAGE, len(ids)).astype(np.int32)
    total = int(counts.sum())
    nothing = {field.name: pa.nulls(total, field.type) for field in ANNOTATION_COLUMNS}
    codes = pa.array(random.integers(0, CLASSES, total, dtype=np.int32))
    names = pa.array([f"class{number}" for number in range(CLASSES)])
    columns = {
        **nothing,
        "image": pa.array(np.repeat(np.arange(len(ids), dtype=np.int32), counts)),
        "id": fixed_bytes(random.bytes(16 * total), 16),
        "class": pa.DictionaryArray.from_arrays(codes, names),
        **{side: pa.array(random.random(total) * 300) for side in BOX},
        "rotation": pa.array(np.zeros(total)),
        "polygons": _empty_lists(total, ANNOTATION_COLUMNS.field("polygons").type),
        "keypoints": _empty_lists(total, ANNOTATION_COLUMNS.field("keypoints").type),
        "crowd": pa.array(np.zeros(total, np.bool_)),
        "attributes": pa.repeat(pa.scalar(""), total),
        "author": pa.repeat(pa.scalar(""), total).dictionary_encode(),
    }
    return assembled(_images(random, ids[order], counts), pa.table(columns, schema=ANNOTATION_COLUMNS))


def _images(random: np.random.Generator, ids: Ids, counts: NDArray[np.int32]) -> pa.Table:
    rows = len(ids)
    columns = {
        "asset": fixed_bytes(ids.tobytes(), 32),
        "annotations": pa.array(counts),
        "file_name": pa.array([f"images/{row:08}.jpg" for row in range(rows)]),
        "width": pa.array(np.full(rows, 640, np.int32)),
        "height": pa.array(np.full(rows, 480, np.int32)),
        "orientation": pa.array(np.ones(rows, np.int8)),
        "channels": pa.array(np.full(rows, 3, np.int8)),
        "size": pa.array(random.integers(10_000, 200_000, rows)),
        "media_type": pa.repeat(pa.scalar("image/jpeg"), rows).dictionary_encode(),
        "perceptual_hash": fixed_bytes(random.bytes(32 * rows), 32),
    }
    return pa.table(columns, schema=pa.schema([*ASSET_COLUMNS, *DESCRIPTION_COLUMNS]))


def _empty_lists(count: int, kind: pa.DataType) -> pa.Array:
    return pa.ListArray.from_arrays(np.zeros(count + 1, np.int32), pa.array([], kind.value_type))


def _random_ids(random: np.random.Generator, count: int) -> Ids:
    return random.integers(0, 256, (count, 32), dtype=np.uint8)


def _bare_union(*prefixes: NDArray[np.uint64]) -> None:
    both = np.sort(np.concatenate(prefixes))
    np.flatnonzero(both[1:] != both[:-1])


def _bare_filter(codes: Sequence[NDArray[np.int32]]) -> None:
    lookup = np.zeros(CLASSES + 1, np.bool_)
    lookup[3] = True
    for one in codes:
        np.flatnonzero(lookup[one])


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_mib() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) // 1024


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _line(row: Row) -> str:
    limit = "" if row.limit_seconds is None else f"{row.limit_seconds:.3f}"
    return f"{row.work:44}{row.seconds:>9.3f}{limit:>9}{row.peak_mib:>10}{row.budget:>8}"


if __name__ == "__main__":
    main(sys.argv[1:])
