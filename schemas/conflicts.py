"""Conflicts of a three-way merge: what both sides changed differently, and what is answered."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, NonNegativeInt, PositiveInt, computed_field, model_validator

from schemas.annotations import Annotation, LayerName
from schemas.blobs import BlobRef
from schemas.schema import AssetId, Document, Id, Instant, Schema, derived_id

SHEET: Final = 100
"""So many conflicts, one after the other, have their answers in one document."""


class ConflictKind(StrEnum):
    """What the two sides did."""

    EDITED = "edited"
    """Both changed the annotation, in different ways."""
    DELETED = "deleted"
    """One changed the annotation, the other removed it."""
    ADDED = "added"
    """Both added what may be one object: same class, and the same place or at least half of it."""


class Take(StrEnum):
    """What a conflict is settled with."""

    OURS = "ours"
    THEIRS = "theirs"
    BOTH = "both"
    """What either side has; the annotation of theirs gets an id of its own."""
    BASE = "base"
    """What was there before; of two additions, neither."""
    NEITHER = "neither"


class Conflict(Schema):
    """One annotation on which the two sides do not agree; what is missing, that side does not have."""

    number: NonNegativeInt
    layer: LayerName
    asset: AssetId
    kind: ConflictKind
    file_name: str = ""
    width: NonNegativeInt = 0
    height: NonNegativeInt = 0
    base: Annotation | None = None
    ours: Annotation | None = None
    theirs: Annotation | None = None


class ConflictList(Schema):
    """The conflicts of a task: lines of JSON, and where each of them starts."""

    count: PositiveInt
    lines: BlobRef
    places: BlobRef
    """One more than there are conflicts: little-endian 64-bit offsets."""

    @property
    def sheets(self) -> int:
        """How many documents hold the answers to all of them."""
        return -(-self.count // SHEET)


class ConflictAnswer(Schema):
    """What settles a conflict: one of the choices, or an annotation (as a blob of JSON)."""

    take: Take | None = None
    annotation: BlobRef | None = None
    by: str
    at: Instant


class ConflictSheet(Document):
    """The answers to up to a hundred conflicts of a task; its successors alone change them, until it is sealed."""

    KIND: ClassVar[str] = "conflict_sheet"
    INDEXED: ClassVar[tuple[str, ...]] = ("task", "number", "is_complete")
    UNIQUE: ClassVar[tuple[tuple[str, ...], ...]] = (("task", "number"),)

    id: Id
    task: Id
    number: NonNegativeInt
    size: Annotated[int, Field(ge=1, le=SHEET)]
    answers: dict[int, ConflictAnswer] = {}
    """By the number of the conflict."""
    rest: ConflictAnswer | None = None
    """What settles all that have no answer of their own."""
    sealed: bool = False
    """Read into the version: no answer changes it any more, so none that was accepted is left out."""

    @computed_field  # type: ignore[prop-decorator]  # mypy has no support for decorated properties
    @property
    def is_complete(self) -> bool:
        """Whether every conflict of it is answered."""
        return self.rest is not None or len(self.answers) == self.size

    @classmethod
    def empty(cls, task: Id, number: int, *, count: int) -> Self:
        """Return a sheet of a task with so many conflicts before anything is answered."""
        size = min(SHEET, count - number * SHEET)
        return cls(id=sheet_id(task, number), task=task, number=number, size=size)

    def answer_to(self, number: int) -> ConflictAnswer | None:
        """Return what settles a conflict, if anything does by now."""
        return self.answers.get(number, self.rest)

    def answered(self, answers: Mapping[int, ConflictAnswer]) -> Self:
        """Return the sheet with some answers, the later ones in the place of earlier ones; itself if it has them."""
        new = {number: answer for number, answer in answers.items() if not _same(self.answers.get(number), answer)}
        return self.successor(answers={**self.answers, **new}) if new else self

    def answered_rest(self, answer: ConflictAnswer) -> Self:
        """Return the sheet with an answer to all that have none yet; itself if there are none."""
        return self if self.is_complete else self.successor(rest=answer)


class Resolution(Schema):
    """What settles a conflict: ``take``, or an annotation in the place of all of them."""

    take: Take | None = None
    annotation: Annotation | None = None

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if (self.take is None) == (self.annotation is None):
            message = "give either take, or an annotation"
            raise ValueError(message)
        return self


class NumberedResolution(Resolution):
    """What settles the conflict of a number."""

    number: NonNegativeInt


class Resolutions(Schema):
    """Answers to some conflicts, and to all that are still open then."""

    answers: Annotated[tuple[NumberedResolution, ...], Field(max_length=1_000)] = ()
    all: Take | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.answers and self.all is None:
            message = "give answers, or all"
            raise ValueError(message)
        if len({answer.number for answer in self.answers}) < len(self.answers):
            message = "answers has a number twice"
            raise ValueError(message)
        return self


class ConflictStatus(Schema):
    """How far the conflicts of a task are."""

    total: NonNegativeInt
    open: NonNegativeInt


def sheet_id(task: Id, number: int) -> Id:
    """Return the id of a sheet of a task."""
    return derived_id("conflicts", task, number)


def _same(known: ConflictAnswer | None, answer: ConflictAnswer) -> bool:
    return known is not None and (known.take, known.annotation) == (answer.take, answer.annotation)
