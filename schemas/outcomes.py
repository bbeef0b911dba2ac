"""Outcomes: what a handler returns, and the records that the consumer keeps for it."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue, NonNegativeInt

from schemas.annotations import LayerName
from schemas.blobs import BlobRef
from schemas.conflicts import ConflictList
from schemas.datasets import VersionCounts
from schemas.evaluations import Evaluation
from schemas.events import Fact
from schemas.executors import Executor
from schemas.models import Model
from schemas.problems import Problem
from schemas.projects import ClassEntry
from schemas.schema import Digest, Id, Instant, Schema
from schemas.training_logs import TrainingLogs


class VersionDraft(Schema):
    """A version before it has a number; its id derives from the task, its number is the next when it is kept."""

    kind: Literal["version"] = "version"
    dataset: str
    tag: str | None = None
    digest: Digest
    manifest: BlobRef
    parents: tuple[Id, ...] = ()
    message: str = ""
    keywords: tuple[str, ...] = ()
    counts: VersionCounts = VersionCounts()


class ModelRecord(Schema):
    """A model to be kept."""

    kind: Literal["model"] = "model"
    model: Model


class EvaluationRecord(Schema):
    """An evaluation to be kept."""

    kind: Literal["evaluation"] = "evaluation"
    evaluation: Evaluation


class ExecutorRecord(Schema):
    """An executor to be registered."""

    kind: Literal["executor"] = "executor"
    executor: Executor


Record = Annotated[VersionDraft | ModelRecord | EvaluationRecord | ExecutorRecord, Field(discriminator="kind")]


class PredictedPictures(Schema):
    """Pictures of no dataset, and what was found on them: a content as versions have one, named by its task alone."""

    manifest: BlobRef
    layer: LayerName
    pictures: NonNegativeInt


class TaskResult(Schema):
    """What a task came to; only what its type has."""

    version: Id | None = None
    dataset: str | None = None
    number: int | None = None
    digest: Digest | None = None
    model: Id | None = None
    evaluation: Id | None = None
    evaluations: tuple[Id, ...] = ()
    """All of them, where a task made several."""
    executor: str | None = None
    """The name under which it is registered."""
    labeling: Id | None = None
    logs: TrainingLogs | None = None
    """What an executor wrote for TensorBoard."""
    archive: BlobRef | None = None
    conflicts: ConflictList | None = None
    """What two lines of work changed differently; see ``/v1/tasks/{id}/conflicts``."""
    predictions: PredictedPictures | None = None
    """What was found on uploaded pictures; see ``/v1/tasks/{id}/predictions``."""
    summary: dict[str, JsonValue] = {}
    """Counts and short facts, such as how many images were skipped."""


class Outcome(Schema):
    """All that a handler decided. With a problem the task failed, and keeps what was collected all the same."""

    records: tuple[Record, ...] = ()
    new_classes: tuple[ClassEntry, ...] = ()
    result: TaskResult = TaskResult()
    report: BlobRef | None = None
    log: BlobRef | None = None
    warnings: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    """Events beyond those of the task's own life and of its records."""
    problem: Problem | None = None
    cancelled: bool = False


class Pause(Schema):
    """A handler's answer that it waits: for a hook, an answer or a person, or until an instant passes."""

    step: str
    """Where the handler goes on when it is woken."""
    waiting_for: str
    until: Instant | None = None
    result: TaskResult = TaskResult()
    facts: tuple[Fact, ...] = ()
