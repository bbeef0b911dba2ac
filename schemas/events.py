"""Events: immutable facts, as CloudEvents 1.0.2, and their log."""

from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from schemas.schema import Document, Id, Instant, Schema, derived_id


class EventType(StrEnum):
    """Everything that is announced; the type is the routing key too."""

    TASK_QUEUED = "ymir.task.queued"
    TASK_STARTED = "ymir.task.started"
    TASK_PROGRESSED = "ymir.task.progressed"
    TASK_WAITING = "ymir.task.waiting"
    TASK_SUCCEEDED = "ymir.task.succeeded"
    TASK_FAILED = "ymir.task.failed"
    TASK_CANCELLED = "ymir.task.cancelled"
    VERSION_CREATED = "ymir.dataset.version.created"
    MODEL_CREATED = "ymir.model.created"
    LABELING_REQUESTED = "ymir.labeling.requested"
    LABELING_COMPLETED = "ymir.labeling.completed"
    ITERATION_ADVANCED = "ymir.iteration.advanced"
    WEBHOOK_TESTED = "ymir.webhook.tested"
    """Sent to a webhook alone, when that is asked for; never in the log."""


class CloudEvent(Schema):
    """One event in structured form; equal (source, id) are the same event."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: EventType
    subject: str
    time: Instant
    datacontenttype: Literal["application/json"] = "application/json"
    data: dict[str, JsonValue] = {}


class Fact(Schema):
    """An event before its deployment signs it: what happened to what; kept in the task until it is in the log."""

    id: Id
    type: EventType
    subject: str
    time: Instant
    data: dict[str, JsonValue] = {}

    def announced_by(self, source: str) -> CloudEvent:
        """Return the event as the deployment ``source`` announces it."""
        return CloudEvent(
            id=self.id, source=source, type=self.type, subject=self.subject, time=self.time, data=self.data
        )


class LoggedEvent(Document):
    """An event at its place in the log: positions are 1, 2, … without a gap; the id is the position."""

    KIND: ClassVar[str] = "event"
    INDEXED: ClassVar[tuple[str, ...]] = ("position", "project", "event.type")
    UNIQUE: ClassVar[tuple[tuple[str, ...], ...]] = (("event.id",),)

    position: int = Field(ge=1)
    project: Id
    event: CloudEvent

    @classmethod
    def at(cls, position: int, event: CloudEvent, project: Id) -> "LoggedEvent":
        """Return an event as it stands at a position of the log."""
        return cls(id=f"{position:016d}", position=position, project=project, event=event)


def event_id(task: Id, event_type: EventType, moment: object) -> Id:
    """Return the id of what happened to a task at a moment: an epoch, a beat or a step."""
    return derived_id("event", task, event_type, moment)
