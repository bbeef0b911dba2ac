"""How rows grow with their data, from a thousand images on: a table and a figure, ``make bench ARGS=--growth``."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from tests.bench.row import Measured, Row, Size

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
LARGEST: Final = 10_000_000
"""Of the algebra alone, with ``--largest``."""

Points = Sequence[tuple[int, float]]


class Peer(NamedTuple):
    """What was recorded of another program, in seconds by the number of images."""

    name: str
    points: Points


class Growing(NamedTuple):
    """An operation that is measured at each size, up to the largest that it is meant for."""

    title: str
    measure: str
    needs: str
    most: int
    peers: tuple[Peer, ...] = ()


# docs/benchmarks.md says on what, and how, the others were measured.
GROWING: Final = (
    Growing(
        "merge with as many again",
        "algebra.merge",
        "synthetic.prepare",
        LARGEST,
        (
            Peer("mir", ((1_000, 0.641), (10_000, 3.25), (100_000, 33.75))),
            Peer("Datumaro", ((1_000, 0.0079), (10_000, 0.108), (100_000, 1.27))),
            Peer("FiftyOne", ((1_000, 0.111), (10_000, 0.576))),
        ),
    ),
    Growing(
        "filter by two classes",
        "algebra.keep",
        "synthetic.prepare",
        LARGEST,
        (
            Peer("mir", ((1_000, 0.439), (10_000, 1.48), (100_000, 11.41))),
            Peer("Datumaro", ((1_000, 0.189), (10_000, 2.85), (100_000, 30.4))),
            Peer("FiftyOne", ((1_000, 0.045), (10_000, 0.125), (50_000, 0.422))),
        ),
    ),
    Growing(
        "sample 10 %",
        "algebra.sample",
        "synthetic.prepare",
        LARGEST,
        (
            Peer("mir", ((1_000, 0.396), (10_000, 0.919), (100_000, 6.03))),
            Peer("Datumaro", ((1_000, 0.106), (10_000, 1.96), (100_000, 21.8))),
            Peer("FiftyOne", ((1_000, 0.039), (10_000, 0.067), (50_000, 0.154))),
        ),
    ),
    Growing(
        "statistics",
        "algebra.statistics",
        "synthetic.prepare",
        LARGEST,
        (Peer("mir", ((1_000, 0.364), (10_000, 0.743), (100_000, 4.35))),),
    ),
    Growing(
        "import VOC",
        "importing.small_voc",
        "pictures.small_voc",
        100_000,
        (
            Peer("mir", ((1_000, 1.19), (10_000, 10.36), (100_000, 109.0))),
            Peer("Datumaro, not stored", ((1_000, 0.298), (10_000, 3.76), (100_000, 40.95))),
            Peer("FiftyOne", ((1_000, 4.03), (10_000, 43.43))),
        ),
    ),
    Growing(
        "export COCO",
        "exporting.coco",
        "exporting.prepare",
        1_000_000,
        (
            Peer("mir, with images", ((1_000, 0.542), (10_000, 2.61), (100_000, 28.94))),
            Peer("Datumaro", ((1_000, 0.082), (10_000, 1.25), (100_000, 11.57))),
            Peer("FiftyOne", ((1_000, 1.35), (10_000, 14.43), (50_000, 75.77))),
        ),
    ),
)


def row_of(growing: Growing) -> Row:
    """Return the row that measures an operation."""
    return Row(work=growing.title, measure=growing.measure, needs=growing.needs)


def size_of(count: int) -> Size:
    """Return a size at which every row works on so many images."""
    return Size(images=count, small=count, photographs=0, coco=count, tasks=0, posts=0, accepted=0)


def seconds_of(growing: Growing, measured: Measured, count: int) -> float:
    """Return the median in seconds; imports tell a rate."""
    middle = sorted(measured.runs)[len(measured.runs) // 2]
    return count / middle if growing.measure.startswith("importing.") else middle


def table(measured: Sequence[tuple[Growing, Points, Points]]) -> str:
    """Return a table in Markdown: seconds by size, ours, the columnar limit's and those recorded of others."""
    sizes = sorted({count for _, ours, _ in measured for count, _ in ours})
    lines = ["| work | who | " + " | ".join(f"{count:,}" for count in sizes) + " |", "|---|---|" + "---|" * len(sizes)]
    for growing, ours, limit in measured:
        named = [("YMIR", ours), *([("limit", limit)] if limit else []), *growing.peers]
        for position, (name, points) in enumerate(named):
            known = dict(points)
            cells = (f"{known[count]:.3g} s" if count in known else "" for count in sizes)
            lines.append(f"| {growing.title if not position else ''} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
