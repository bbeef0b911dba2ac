"""A row of the benchmark: what is measured, on what data, against which budget, and what came out."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple


class Unit(StrEnum):
    """What a row counts in; a budget is a most of what is better small, and a least of a rate."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    PERCENT = "%"
    BYTES = "bytes"
    IMAGES_A_SECOND = "images/s"
    TASKS_A_SECOND = "tasks/s"

    @property
    def is_rate(self) -> bool:
        """Whether more is better."""
        return self in {Unit.IMAGES_A_SECOND, Unit.TASKS_A_SECOND}


class Size(NamedTuple):
    """How much data the rows work on."""

    images: int
    """In each of the two large versions, with 7.3 annotations each."""
    small: int
    """JPEGs of 3 KB, and images exported and evaluated."""
    photographs: int
    """Of 640 x 480."""
    coco: int
    """Images that a COCO document names."""
    tasks: int
    """Asked for at once."""
    posts: int
    """Sent at a steady rate."""
    accepted: int
    """Sent as fast as they are accepted, on the production profile."""


USUAL: Final = Size(
    images=1_000_000, small=10_000, photographs=2_000, coco=20_000, tasks=300, posts=2_000, accepted=4_000
)
QUICK: Final = Size(images=10_000, small=1_000, photographs=200, coco=1_000, tasks=50, posts=400, accepted=400)
FULL: Final = USUAL._replace(coco=118_000, photographs=10_000, tasks=1_000, posts=6_000)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table; the function ``measure`` of its module is run in a process of its own."""

    work: str
    """What is done, with the fields of ``Size`` in braces."""
    measure: str
    """``module.function`` below tests.bench."""
    unit: Unit = Unit.SECONDS
    budget: float | None = None
    memory_mb: int | None = None
    """The budget for the peak of resident memory."""
    needs: str = ""
    """``module.function`` that prepares the data, once for all rows that need it, in another process."""
    peers: str = ""
    """The recorded figures of others."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What came out of a row, in its unit."""

    runs: list[float]
    peak_mb: float
    limit: list[float] = field(default_factory=list)
    """The bare columnar work, in the same unit, with nothing kept."""
    told: str = ""
    """What else there is to say."""
    wrong: str = ""
    """A promise that was not kept, whatever the time."""
