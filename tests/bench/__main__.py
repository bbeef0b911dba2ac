"""Measure the budgets beside the bare columnar limit and the recorded figures of others: ``make bench``."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

import orjson

from tests.bench.catalogue import ROWS
from tests.bench.figure import figure
from tests.bench.growth import GROWING, LARGEST, SIZES, Growing, Points, row_of, seconds_of, size_of, table
from tests.bench.row import FULL, QUICK, USUAL, Measured, Row, Size
from tests.bench.table import HEAD, line, record, titled

RECORD: Final = Path("bench.json")
GROWTH_TABLE: Final = Path("growth.md")
GROWTH_FIGURE: Final = Path("docs/growth.svg")


class Failed(Exception):
    """The process of a row ended without an answer."""


def main(arguments: Sequence[str]) -> int:
    """Print the table row by row and write bench.json; return 1 if a row could not be measured."""
    given = _parser().parse_args(arguments)
    if given.growth:
        return _grow(given)
    size = QUICK if given.quick else FULL if given.full else USUAL
    rows = [row for row in ROWS if given.only.lower() in f"{titled(row, size)} {row.measure}".lower()]
    start = time.perf_counter()
    records: list[dict[str, object]] = []
    failed = 0
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} of others before the first row\n\n{HEAD}", flush=True)
    with _data_folder(given.data) as folder:
        for row in rows:
            load = os.getloadavg()[0]
            try:
                measured = _measured(row, size, folder)
            except Failed as error:
                print(f"{titled(row, size)}\n    FAILED: {error}", flush=True)
                failed += 1
                continue
            print(line(row, size, measured), flush=True)
            records.append({**record(row, size, measured), "load_before": load})
    seconds = time.perf_counter() - start
    RECORD.write_bytes(
        orjson.dumps({"size": size._asdict(), "seconds": seconds, "rows": records}, option=orjson.OPT_INDENT_2)
    )
    print(f"\n{seconds:.0f} s in all; the numbers are in {RECORD}")
    return 1 if failed else 0


def _grow(given: argparse.Namespace) -> int:
    """Measure how the rows grow, and write a table and a figure."""
    most = given.most or SIZES[-1]
    measured: list[tuple[Growing, Points, Points]] = []
    with _data_folder(given.data) as folder:
        for growing in (one for one in GROWING if given.only.lower() in f"{one.title} {one.measure}".lower()):
            ours, limit = [], []
            for count in (size for size in (*SIZES, LARGEST) if size <= min(most, growing.most)):
                try:
                    found = _measured(row_of(growing), size_of(count), folder)
                except Failed as error:
                    print(f"{growing.title}, {count:,}\n    FAILED: {error}", flush=True)
                    return 1
                ours.append((count, seconds_of(growing, found, count)))
                limit += [(count, median(found.limit))] if found.limit else []
                print(f"{growing.title}, {count:,} images: {ours[-1][1]:.3g} s, {found.peak_mb:.0f} MB", flush=True)
            measured.append((growing, ours, limit))
    text = table(measured)
    GROWTH_TABLE.write_text(f"{text}\n", encoding="utf-8")
    GROWTH_FIGURE.write_text(figure(measured), encoding="utf-8")
    print(f"\n{text}\n\nThe table is in {GROWTH_TABLE}, the figure in {GROWTH_FIGURE}.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="10,000 images where it would be 1,000,000")
    sizes.add_argument("--full", action="store_true", help="the COCO document of 118,000 images too")
    parser.add_argument("--only", default="", metavar="TEXT", help="only rows whose title or function has this in it")
    parser.add_argument("--growth", action="store_true", help="how rows grow from 1,000 images on: a table, a figure")
    parser.add_argument("--most", type=int, metavar="IMAGES", help="with --growth: up to so many, 10,000,000 at most")
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep the prepared data there, and use it again")
    return parser


@contextmanager
def _data_folder(chosen: Path | None) -> Iterator[Path]:
    if chosen is not None:
        chosen.mkdir(parents=True, exist_ok=True)
        yield chosen.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="ymir-bench-") as folder:
        yield Path(folder)


def _measured(row: Row, size: Size, folder: Path) -> Measured:
    data = folder / f"{row.needs or 'nothing'}-{'-'.join(map(str, size))}"
    ready = data.with_name(f"{data.name}.ready")
    if row.needs and not ready.exists():
        _run(row.needs, data, size)
        ready.touch()
    data.mkdir(exist_ok=True)
    answer = _run(row.measure, data, size)
    return Measured(**orjson.loads(answer))


def _run(function: str, data: Path, size: Size) -> bytes:
    """Call a function in a process of its own, so that its peak memory is its own."""
    answer = data.with_name("answer.json")
    answer.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "tests.bench.one",
        function,
        str(data),
        orjson.dumps(size._asdict()).decode(),
        str(answer),
    ]
    ended = subprocess.run(command, stderr=subprocess.PIPE, check=False)
    if ended.returncode or not answer.exists():
        raise Failed(f"{function}: {ended.stderr.decode(errors='replace')[-2000:] or ended.returncode}")
    return answer.read_bytes()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
