"""What an executor wrote for TensorBoard: its files, and the scalars in them."""

from typing import Annotated, Final

from pydantic import Field, NonNegativeInt

from schemas.blobs import BlobRef
from schemas.schema import Schema

EVENTS_MEDIA_TYPE: Final = "application/x-tar"
POINTS_KEPT: Final = 10_000
"""Of one tag; more are thinned out evenly."""


class TrainingLogs(Schema):
    """The event files of a run, kept as they are, and what was read from them."""

    events: BlobRef
    """A tar with the event files by their paths."""
    scalars: BlobRef
    """A ``ScalarTable`` as JSON."""
    tags: NonNegativeInt = 0


class ScalarSeries(Schema):
    """The values of one tag in the order of their steps, as columns of the same length."""

    steps: tuple[int, ...]
    wall_times: tuple[float, ...]
    """Seconds since 1970."""
    values: tuple[float | None, ...]
    """None is what is no number, or endless."""


class ScalarTable(Schema):
    """All scalars of a run by tag; that of a run in a folder of its own comes after the folder."""

    tags: dict[str, ScalarSeries] = {}


class ScalarPoint(Schema):
    """One value of a tag."""

    step: int
    wall_time: float
    value: float | None


class Scalars(Schema):
    """What a training told of itself, by tag, in the order of its steps."""

    tags: tuple[str, ...] = ()
    """All tags there are, whether they are told here or not."""
    series: dict[str, tuple[ScalarPoint, ...]] = {}
    thinned: tuple[str, ...] = ()
    """The tags of which not every value is told here."""


Points = Annotated[int, Field(ge=2, le=POINTS_KEPT)]
