"""Rules: when this happens, then that task."""

import math
import re
from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, JsonValue, NonNegativeInt, PositiveInt, field_validator, model_validator
from pydantic_core import to_json

from schemas.events import CloudEvent, EventType
from schemas.problems import Problem
from schemas.projects import Description
from schemas.schema import Document, Id, Instant, Name, Schema
from schemas.task_types import OFFERED

DEPTH_AT_MOST: Final = 20
CONDITIONS_AT_MOST: Final = 50
TEMPLATE_BYTES: Final = 65_536

PLACEHOLDER: Final = re.compile(r"\$\{([^{}]*)\}")
PATH: Final = re.compile(r"(?:data(?:\.[A-Za-z0-9_-]+)+|id|type|subject|time)")

Path = Annotated[str, Field(pattern=f"^{PATH.pattern}$", max_length=200)]
Plain = str | int | float | bool | None


class When(Schema):
    """Which events a rule is for: of a type, in a project, with certain values."""

    type: EventType
    where: Annotated[dict[Path, Plain | tuple[Plain, ...]], Field(max_length=CONDITIONS_AT_MOST)] = {}
    """What has to be at a place of the event (``data.dataset``): a value, or any of several."""

    @field_validator("type")
    @classmethod
    def _in_the_log(cls, kind: EventType) -> EventType:
        if kind is EventType.WEBHOOK_TESTED:
            message = "events of this type are sent to webhooks alone"
            raise ValueError(message)
        return kind


class RuleSubmission(Schema):
    """A rule to be made."""

    name: Name
    project: Name
    """Whose events it is for, and where its tasks are asked for."""
    when: When
    then: dict[str, JsonValue]
    """The parameters of the task, as they are posted; ``${data.number}`` stands for what the event has there."""
    depth_at_most: Annotated[PositiveInt, Field(le=DEPTH_AT_MOST)] = 5
    """How many rules may have led from one to the other, this one counted, before it asks for nothing more."""
    description: Description = ""
    enabled: bool = True

    @model_validator(mode="after")
    def _can_be_filled_in(self) -> Self:
        check_template(self.then)
        return self


class RuleChange(Schema):
    """What can change in a rule; what is left out stays."""

    when: When | None = None
    then: dict[str, JsonValue] | None = None
    depth_at_most: Annotated[PositiveInt, Field(le=DEPTH_AT_MOST)] | None = None
    description: Description | None = None
    enabled: bool | None = None

    @model_validator(mode="after")
    def _can_be_filled_in(self) -> Self:
        if self.then is not None:
            check_template(self.then)
        return self


class Rule(Document):
    """A rule of a project: every event that it is for becomes a task, once."""

    KIND: ClassVar[str] = "rule"
    INDEXED: ClassVar[tuple[str, ...]] = ("project", "name", "created_at")
    UNIQUE: ClassVar[tuple[tuple[str, ...], ...]] = (("project", "name"),)

    id: Id
    name: str
    project: Id
    project_name: str
    when: When
    then: dict[str, JsonValue]
    depth_at_most: PositiveInt
    description: str = ""
    enabled: bool = True
    created_by: str
    created_at: Instant


class RuleRun(Document):
    """What a rule made of one event: a task, or why there is none."""

    KIND: ClassVar[str] = "rule_run"
    INDEXED: ClassVar[tuple[str, ...]] = ("rule", "at")

    id: Id
    rule: Id
    event: str
    position: int
    depth: NonNegativeInt
    task: Id | None = None
    problem: Problem | None = None
    at: Instant


class RuleTrial(Schema):
    """An event to try a rule on."""

    event: CloudEvent | None = None
    position: Annotated[int, Field(ge=1)] | None = None
    """The place of an event in the log."""

    @model_validator(mode="after")
    def _one_event(self) -> Self:
        if (self.event is None) == (self.position is None):
            message = "name an event, or the position of one, and not both"
            raise ValueError(message)
        return self


class RuleVerdict(Schema):
    """What a rule would do with an event."""

    matches: bool
    parameters: dict[str, JsonValue] | None = None
    """Those of the task, filled in."""
    problem: Problem | None = None
    """Why there would be no task."""


def check_template(then: dict[str, JsonValue]) -> None:
    """Raise ValueError for a template that no event could fill in, or that is too large to keep."""
    if len(to_json(then)) > TEMPLATE_BYTES:
        message = f"then: it has more than {TEMPLATE_BYTES:,} bytes"
        raise ValueError(message)
    kind = then.get("type")
    if not isinstance(kind, str) or kind not in OFFERED:
        message = f"then/type: it names the type of the task, one of {', '.join(sorted(OFFERED))}"
        raise ValueError(message)
    for text in _texts(then):
        for path in PLACEHOLDER.findall(text):
            if not PATH.fullmatch(path):
                message = f"then: ${{{path}}} names no place of an event: those are id, type, subject, time and data.…"
                raise ValueError(message)


def _texts(value: JsonValue) -> list[str]:
    match value:
        case str():
            return [value]
        case float() if not math.isfinite(value):
            message = "then: a number is too large, or is none"
            raise ValueError(message)
        case dict():
            return [text for inner in value.values() for text in _texts(inner)]
        case list():
            return [text for inner in value for text in _texts(inner)]
    return []
