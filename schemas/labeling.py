"""Labeling jobs: which assets are to be labeled, and the answers."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeInt

from schemas.annotations import Annotation, ClassName, LayerName
from schemas.schema import AssetId, Document, Id, Instant, Schema


class JobState(StrEnum):
    """Whether a job still takes answers."""

    OPEN = "open"
    CLOSED = "closed"


class ItemState(StrEnum):
    """What became of one asset of a job; an item labeled without annotations is an empty image."""

    OPEN = "open"
    LABELED = "labeled"
    SKIPPED = "skipped"


class LabelingJob(Document):
    """A request to label the assets of a version; its task waits until every item is answered or it is closed."""

    KIND: ClassVar[str] = "labeling_job"
    INDEXED: ClassVar[tuple[str, ...]] = ("project", "task", "state", "token", "created_at")

    id: Id
    project: Id
    task: Id
    version: Id
    tool: str
    token: str
    """The secret in the address of the job's hook."""
    classes: tuple[ClassName, ...]
    annotation: Literal["box", "polygon", "mask", "keypoints"]
    keep: LayerName | None = None
    instructions: str = ""
    labelers: tuple[str, ...] = ()
    tool_project: str = ""
    """The id of the project that the tool has for it."""
    tool_address: str = ""
    """Where people find that."""
    tool_cursor: str = ""
    """How far the tool was read, in words of its adapter."""
    state: JobState = JobState.OPEN
    items: NonNegativeInt
    created_at: Instant
    closed_at: Instant | None = None


class LabelingItem(Document):
    """One asset of a job, the annotations to start from, and the answer."""

    KIND: ClassVar[str] = "labeling_item"
    INDEXED: ClassVar[tuple[str, ...]] = ("job", "asset", "state", "position")

    id: Id
    job: Id
    position: NonNegativeInt
    asset: AssetId
    file_name: str
    width: int
    height: int
    media_type: str = ""
    suggestions: tuple[Annotation, ...] = ()
    state: ItemState = ItemState.OPEN
    annotations: tuple[Annotation, ...] = ()
    author: str | None = None
    answered_at: Instant | None = None
    revision: NonNegativeInt = 0
    """That of the answer."""
    refused: str = ""
    """Why the tool's last answer cannot be kept; the item is open until it is corrected there."""
    sealed: bool = False
    """Read into the version: no answer changes it any more, so none that was accepted is left out."""


class Answer(Schema):
    """What an annotator says of one asset; the last answer before the job closes counts.

    The state ``open`` takes an answer back.
    """

    asset: AssetId
    state: ItemState = ItemState.LABELED
    annotations: Annotated[tuple[Annotation, ...], Field(max_length=10_000)] = ()
    author: Annotated[str, Field(max_length=200)] | None = None
    revision: Annotated[int, Field(ge=0, lt=2**53)] = 0
    """Rises with every change of the answer, for those who cannot send in order: one below that which is kept came late
    and changes nothing."""


class Answers(Schema):
    """Answers for some assets of a job."""

    answers: Annotated[tuple[Answer, ...], Field(min_length=1, max_length=1_000)]


class JobStatus(Schema):
    """A labeling job and how far it is."""

    job: LabelingJob
    open: NonNegativeInt
    labeled: NonNegativeInt
    skipped: NonNegativeInt


class ItemView(LabelingItem):
    """An item with the address of its image."""

    image: str
