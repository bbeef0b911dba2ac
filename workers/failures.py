"""Failures: what becomes of a task whose handler raised."""

import errno
from datetime import datetime, timedelta
from random import Random
from typing import Final
from uuid import uuid4

import structlog

from schemas.errors import Conflict, Denied, Invalid, NotFound, Unavailable, YmirError
from schemas.outcomes import Outcome
from schemas.problems import TYPE_PREFIX, Problem
from schemas.tasks import Task

# Status as HTTP would have it; tries before the task fails: what cannot succeed is not tried again. An attempt reads
# everything anew, so a Conflict that comes again is no race that somebody else won: it is as good as a bug.
STATUS: Final[dict[type[YmirError], int]] = {NotFound: 404, Invalid: 422, Denied: 403, Conflict: 409, Unavailable: 503}
TRIES: Final[dict[type[Exception], int]] = {Unavailable: 12, Conflict: 3, Exception: 3}
LONGEST_WAIT: Final = timedelta(minutes=5)
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

_random = Random()  # noqa: S311 - jitter is no secret
log = structlog.get_logger(__name__)


def verdict(task: Task, error: Exception, *, at: datetime) -> datetime | Outcome:
    """Return when to try again, or the outcome with which the task fails."""
    if isinstance(error, OSError) and error.errno in FULL:
        step = "Make room on it, or let YMIR_WORK name a folder on another."
        error = Unavailable(f"The worker's disk is full: {error.strerror}.", step=step)
    tries = _tries_of(error)
    if tries is None:
        return Outcome(problem=_problem(task, error))
    if task.tries + 1 < tries:
        log.warning("task is tried again", task=task.id, tries=task.tries + 1, error=str(error), exc_info=error)
        return at + _backoff(task.tries)
    return Outcome(problem=_problem(task, error))


def outlived(task: Task) -> Outcome:
    """Return the outcome of a task whose workers vanish again and again."""
    problem = Problem(
        type=TYPE_PREFIX + "outlived",
        title="Its workers vanished",
        status=500,
        detail=f"{task.outlived} workers vanished while they ran this task.",
        instance=instance_of(task),
        step="See the workers' logs: the task may need more memory than they have. Then retry it.",
    )
    return Outcome(problem=problem)


def instance_of(task: Task) -> str:
    """Return where the problem of a task is told of."""
    return f"/v1/tasks/{task.id}"


def _tries_of(error: Exception) -> int | None:
    if isinstance(error, YmirError):
        return TRIES.get(type(error))
    return TRIES[Exception]


def _backoff(tries: int) -> timedelta:
    return min(timedelta(seconds=2**tries), LONGEST_WAIT) * _random.uniform(0.5, 1.0)


def _problem(task: Task, error: Exception) -> Problem:
    if isinstance(error, YmirError):
        return Problem.of(error, status=STATUS[type(error)], instance=instance_of(task))
    reference = uuid4().hex
    log.error("task failed on a bug", task=task.id, reference=reference, exc_info=error)
    return Problem(
        type=TYPE_PREFIX + "bug",
        title="A fault in the service",
        status=500,
        detail=f"The task met a fault of the service itself ({type(error).__name__}).",
        instance=instance_of(task),
        step=f"Report it with the reference {reference}, under which the log has its traceback.",
    )
