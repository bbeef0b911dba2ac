"""A task: one requested operation, from acceptance to its end."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, NamedTuple, Self

from pydantic import Field, JsonValue, NonNegativeInt, computed_field

from schemas.blobs import BlobRef
from schemas.errors import Invalid
from schemas.events import EventType, Fact, event_id
from schemas.outcomes import Outcome, Pause, TaskResult
from schemas.parameters import Slot
from schemas.problems import Problem
from schemas.refs import Ref
from schemas.schema import Document, Id, Instant, Schema
from schemas.task_states import EVENT_OF, FINAL, NEXT, TaskState
from schemas.task_types import TaskParameters

EPOCHS_OUTLIVED: Final = 5


class Doorbell(NamedTuple):
    """The message that a task may be ready to run; lost, repeated or late, it changes only latency."""

    task: Id
    type: str
    slot: Slot


class Input(Schema):
    """What a ref named when the task was accepted."""

    pointer: str
    ref: Ref
    version: Id


class Progress(Schema):
    """How far a running task is."""

    fraction: Annotated[float, Field(ge=0, le=1)] = 0.0
    phase: str = ""


class Cause(Schema):
    """Why there is a task that nobody asked for."""

    rule: Id
    event: str
    position: int
    """That of the event in the log."""
    depth: NonNegativeInt
    """How many rules led from one to the other, this one counted."""


class Task(Document):
    """One requested operation. Whoever changes a running task owns its epoch, or asks its owner to."""

    KIND: ClassVar[str] = "task"
    INDEXED: ClassVar[tuple[str, ...]] = (
        "project",
        "state",
        "parameters.type",
        "slot",
        "created_at",
        "unannounced",
        "parameters.webhook",
    )

    id: Id
    project: Id
    parameters: TaskParameters
    inputs: tuple[Input, ...] = ()
    fingerprint: str = ""
    """The digest of the request that an ``Idempotency-Key`` stands for."""

    state: TaskState = TaskState.QUEUED
    epoch: NonNegativeInt = 0
    """Raised by each claim and each taking away: the fence of whoever owned the task before."""
    owner: str | None = None
    beat: NonNegativeInt = 0
    outlived: NonNegativeInt = 0
    """How many workers vanished while they ran it."""
    tries: NonNegativeInt = 0
    """How often it was put back because something was unavailable or broke."""
    not_before: Instant | None = None
    cancel_requested: bool = False
    step: str = ""
    waiting_for: str = ""
    progress: Progress = Progress()

    outcome: Outcome | None = None
    """The decision, from when it is made until its records are kept."""
    result: TaskResult = TaskResult()
    problem: Problem | None = None
    warnings: tuple[str, ...] = ()
    report: BlobRef | None = None
    log: BlobRef | None = None

    facts: tuple[Fact, ...] = ()
    """What is still to be appended to the event log."""
    created_by: str
    created_at: Instant
    updated_at: Instant
    started_at: Instant | None = None
    ended_at: Instant | None = None
    retry_of: Id | None = None
    cause: Cause | None = None
    """The rule and the event that led to it, if nobody asked for it."""

    @computed_field  # type: ignore[prop-decorator]  # mypy has no support for decorated properties
    @property
    def slot(self) -> Slot:
        """The kind of slot in which the task runs."""
        return self.parameters.slot

    @computed_field  # type: ignore[prop-decorator]  # mypy has no support for decorated properties
    @property
    def unannounced(self) -> bool:
        """Whether facts are still to be appended to the event log."""
        return bool(self.facts)

    @property
    def is_final(self) -> bool:
        """Whether the task has ended."""
        return self.state in FINAL

    def doorbell(self) -> Doorbell:
        """Return the message that tells workers of this task."""
        return Doorbell(self.id, self.parameters.type, self.slot)

    def version_of(self, pointer: str) -> Id:
        """Return the id of the version that the ref at a JSON pointer was resolved to."""
        return next(given.version for given in self.inputs if given.pointer == pointer)

    def accepted(self) -> Self:
        """Return a new task with the fact that it was queued."""
        return self.model_copy(update={"facts": self._told(EventType.TASK_QUEUED, 0, self.created_at)})

    def claimed(self, *, by: str, at: datetime) -> Self:
        """Return this task as owned by a worker, one epoch later; raise Invalid if its state forbids that."""
        epoch = self.epoch + 1
        return self._moved(
            TaskState.RUNNING,
            at=at,
            epoch=epoch,
            owner=by,
            beat=0,
            not_before=None,
            waiting_for="",
            started_at=self.started_at or at,
        )

    def beaten(self, *, progress: Progress, at: datetime) -> Self:
        """Return this running task one beat later."""
        changes: dict[str, Any] = {"beat": self.beat + 1, "progress": progress, "updated_at": at}
        if progress != self.progress:
            data: dict[str, JsonValue] = {"fraction": progress.fraction, "phase": progress.phase}
            told = self._told(EventType.TASK_PROGRESSED, f"{self.epoch}.{self.beat + 1}", at, **data)
            # Progress that nobody could be told of is out of date: a task grows no longer while the bus is away.
            untold = [other for other in self.facts if other.type is not EventType.TASK_PROGRESSED]
            changes["facts"] = (*untold, *told)
        return self.successor(**changes)

    def put_back(
        self, *, at: datetime, not_before: datetime | None = None, tried: bool = False, waiting_for: str = ""
    ) -> Self:
        """Return this task in the queue again, its owner fenced off: handed over, or (``tried``) to be tried later.

        ``waiting_for`` says what it needs that is in use; a worker that has it takes the task.
        Here and in what else queues a task or has it wait: one that is to be cancelled ends as cancelled instead.
        """
        return self._moved(
            TaskState.QUEUED,
            at=at,
            epoch=self.epoch + 1,
            owner=None,
            not_before=not_before,
            tries=self.tries + tried,
            waiting_for=waiting_for,
        )

    def orphaned(self, *, at: datetime) -> Self:
        """Return this task in the queue again after its worker vanished."""
        return self._moved(TaskState.QUEUED, at=at, epoch=self.epoch + 1, owner=None, outlived=self.outlived + 1)

    def paused(self, pause: Pause, *, at: datetime) -> Self:
        """Return this task as waiting: it holds no slot and has no owner."""
        return self._moved(
            TaskState.WAITING,
            at=at,
            owner=None,
            before=pause.facts,
            step=pause.step,
            waiting_for=pause.waiting_for,
            not_before=pause.until,
            result=pause.result,
        )

    def woken(self, *, at: datetime) -> Self:
        """Return this waiting task in the queue again."""
        return self._moved(TaskState.QUEUED, at=at, epoch=self.epoch + 1, waiting_for="", not_before=None)

    def decided(self, outcome: Outcome, *, at: datetime) -> Self:
        """Return this running task with its outcome: from here it can be neither cancelled nor taken."""
        return self.successor(outcome=outcome, updated_at=at)

    def ended(self, outcome: Outcome, *, at: datetime, facts: Iterable[Fact] = ()) -> Self:
        """Return this task in the final state of an outcome whose records are kept."""
        state = TaskState.SUCCEEDED
        if outcome.problem is not None:
            state = TaskState.FAILED
        if outcome.cancelled:
            state = TaskState.CANCELLED
        return self._moved(
            state,
            at=at,
            before=tuple(facts),
            outcome=None,
            owner=None,
            result=outcome.result,
            problem=outcome.problem,
            warnings=outcome.warnings,
            report=outcome.report,
            log=outcome.log,
            ended_at=at,
            progress=Progress(fraction=1.0) if state is TaskState.SUCCEEDED else self.progress,
        )

    def announced(self, ids: frozenset[Id]) -> Self:
        """Return this task without the facts that are in the log by now."""
        return self.successor(facts=tuple(fact for fact in self.facts if fact.id not in ids))

    def retried(self, *, task: Id, by: str, at: datetime) -> "Task":
        """Return a new task that asks for the same again; raise Invalid unless this one failed or was cancelled."""
        if self.state not in {TaskState.FAILED, TaskState.CANCELLED}:
            message = f"The task is {self.state}; only a failed or cancelled one can be retried."
            raise Invalid(message)
        return Task(
            id=task,
            project=self.project,
            parameters=self.parameters,
            inputs=self.inputs,
            created_by=by,
            created_at=at,
            updated_at=at,
            retry_of=self.id,
            cause=self.cause,
        ).accepted()

    def _moved(self, state: TaskState, *, at: datetime, before: tuple[Fact, ...] = (), **changes: Any) -> Self:  # noqa: ANN401 - a change may be of any field
        if state not in NEXT.get(self.state, frozenset()):
            message = f"A task that is {self.state} cannot become {state}."
            raise Invalid(message)
        if self.cancel_requested and state in {TaskState.QUEUED, TaskState.WAITING}:
            # Its owner lets go of it before it saw the request: nobody would look at that again.
            result = changes.get("result", self.result)
            return self.ended(Outcome(cancelled=True, result=result, warnings=self.warnings), at=at, facts=before)
        moment = f"{changes.get('epoch', self.epoch)}.{state}"
        told = self._told(EVENT_OF[state], moment, at, **_news(changes))
        return self.successor(state=state, updated_at=at, facts=(*self.facts, *before, *told), **changes)

    def _told(self, event_type: EventType, moment: object, at: datetime, **data: JsonValue) -> tuple[Fact, ...]:
        """Return the fact that an event is to tell; none of a task of the service's own."""
        if not self.parameters.ANNOUNCED:
            return ()
        told = {"task": self.id, "type": self.parameters.type, "project": self.project, **data}
        return (Fact(id=event_id(self.id, event_type, moment), type=event_type, subject=self.id, time=at, data=told),)


def _news(changes: Mapping[str, Any]) -> dict[str, JsonValue]:
    told: dict[str, JsonValue] = {}
    if changes.get("problem") is not None:
        told["problem"] = changes["problem"].model_dump(mode="json", exclude={"errors"})
    if changes.get("waiting_for"):
        told["waiting_for"] = changes["waiting_for"]
    if isinstance(changes.get("result"), TaskResult):
        told["result"] = changes["result"].model_dump(mode="json", exclude_defaults=True)
    return told
