"""The states of a task, which may follow which, and the event that tells of each."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from schemas.events import EventType


class TaskState(StrEnum):
    """Where a task is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL: Final = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED})

# RUNNING may follow itself: it beats, and a decided task waits for its records.
# WAITING holds nothing: a hook, an answer or the time queues the task again.
NEXT: Final[Mapping[TaskState, frozenset[TaskState]]] = {
    TaskState.QUEUED: frozenset({TaskState.RUNNING, TaskState.FAILED, TaskState.CANCELLED}),
    TaskState.RUNNING: FINAL | {TaskState.RUNNING, TaskState.QUEUED, TaskState.WAITING},
    TaskState.WAITING: frozenset({TaskState.QUEUED, TaskState.FAILED, TaskState.CANCELLED}),
}

EVENT_OF: Final[Mapping[TaskState, EventType]] = {
    TaskState.QUEUED: EventType.TASK_QUEUED,
    TaskState.RUNNING: EventType.TASK_STARTED,
    TaskState.WAITING: EventType.TASK_WAITING,
    TaskState.SUCCEEDED: EventType.TASK_SUCCEEDED,
    TaskState.FAILED: EventType.TASK_FAILED,
    TaskState.CANCELLED: EventType.TASK_CANCELLED,
}
