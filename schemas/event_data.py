"""What the ``data`` of each type of event has; documents and checks are made of this."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import Field, PositiveInt

from schemas.events import EventType
from schemas.outcomes import TaskResult
from schemas.problems import Problem
from schemas.schema import Digest, Id, Schema


class TaskData(Schema):
    """A task came into this state; its state and all else are at ``/v1/tasks/{task}``."""

    task: Id
    type: str
    """The type of the task: ``import``, ``train``, …"""
    project: Id


class TaskQueued(TaskData):
    """A task was accepted, or is in the queue again."""

    waiting_for: str = ""
    """What it needs before it runs, if it is known to lack something."""


class TaskStarted(TaskData):
    """A worker runs a task; again, if the worker before vanished."""


class TaskProgressed(TaskData):
    """A running task has come further; at most one such event a second."""

    fraction: Annotated[float, Field(ge=0, le=1)]
    phase: str = ""


class TaskWaiting(TaskData):
    """A task waits for people, a tool or the time, and holds nothing meanwhile."""

    waiting_for: str = ""
    result: TaskResult | None = None


class TaskSucceeded(TaskData):
    """A task has done what was asked; its records are there."""

    result: TaskResult | None = None


class TaskFailed(TaskData):
    """A task failed for good; what it collected is kept all the same."""

    result: TaskResult | None = None
    problem: Problem | None = None


class TaskCancelled(TaskData):
    """A task was cancelled; what it collected is kept all the same."""

    result: TaskResult | None = None


class VersionCreated(Schema):
    """A dataset has a new version."""

    task: Id
    project: Id
    version: Id
    dataset: str
    number: PositiveInt
    digest: Digest


class ModelCreated(Schema):
    """A project has a new model."""

    task: Id
    project: Id
    model: Id
    name: str


class LabelingRequested(Schema):
    """People are asked to label; the items are at ``/v1/projects/…/labeling/{labeling}/items``."""

    task: Id
    project: Id
    labeling: Id


class LabelingCompleted(Schema):
    """A labeling job is over, and its answers are a version."""

    task: Id
    project: Id
    labeling: Id


class IterationAdvanced(Schema):
    """An iteration has come to its next step."""

    project: Id
    iteration: Id
    step: str


class WebhookTested(Schema):
    """Somebody wants to know whether a webhook works; sent to it alone."""

    webhook: Id
    asked_by: str


DATA: Final[Mapping[EventType, type[Schema]]] = MappingProxyType(
    {
        EventType.TASK_QUEUED: TaskQueued,
        EventType.TASK_STARTED: TaskStarted,
        EventType.TASK_PROGRESSED: TaskProgressed,
        EventType.TASK_WAITING: TaskWaiting,
        EventType.TASK_SUCCEEDED: TaskSucceeded,
        EventType.TASK_FAILED: TaskFailed,
        EventType.TASK_CANCELLED: TaskCancelled,
        EventType.VERSION_CREATED: VersionCreated,
        EventType.MODEL_CREATED: ModelCreated,
        EventType.LABELING_REQUESTED: LabelingRequested,
        EventType.LABELING_COMPLETED: LabelingCompleted,
        EventType.ITERATION_ADVANCED: IterationAdvanced,
        EventType.WEBHOOK_TESTED: WebhookTested,
    }
)
