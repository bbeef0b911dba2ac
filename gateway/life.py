"""The life of a task as its callers may change it: accepted, cancelled, woken, tried again."""

from datetime import datetime
from functools import partial
from http import HTTPStatus

from aiohttp import web

from gateway.errands import ERRANDS
from gateway.idempotency import other_body
from gateway.problems import Refused
from gateway.services import SERVICES, Services
from schemas.labeling import LabelingJob
from schemas.outcomes import Outcome
from schemas.schema import Id
from schemas.task_states import TaskState
from schemas.tasks import Task
from storage.contested import added, changed
from storage.labeling.closing import close_all
from storage.waking import woken


async def keep(request: web.Request, task: Task) -> Task:
    """Keep a new task and ring for it; under a known id return what is kept, or raise Refused for another body."""
    tasks = request.app[SERVICES].database.documents(Task)
    # Kept first: a task that nobody was told of is found by the sweep, which rings again.
    known = await added(task, tasks)
    if known is not task:
        return _same(known, task.fingerprint)
    request.app[ERRANDS].ring(task)
    return task


async def kept(services: Services, identity: Id, fingerprint: str) -> Task | None:
    """Return the task of an idempotency key, None if there is none; raise Refused if it was made by another body."""
    found = await services.database.documents(Task).get_many([identity])
    return _same(found[0], fingerprint) if found else None


async def cancel(request: web.Request, identity: Id) -> Task:
    """Cancel a task: one that runs is asked to stop, others end at once. Raise Refused (409) if it is decided."""
    services = request.app[SERVICES]
    tasks = services.database.documents(Task)
    was, now = await changed(tasks, partial(tasks.get, identity), partial(_cancelled, at=services.clock()))
    if now is was:
        return now
    if was.state is TaskState.WAITING:
        await close_all(identity, jobs=services.database.documents(LabelingJob), at=services.clock())
    if now.is_final:  # one that runs is told of by its owner
        request.app[ERRANDS].announce(now)
    return now


async def wake(request: web.Request, identity: Id) -> None:
    """Queue a waiting task again and ring for it; one that does not wait is left as it is."""
    services = request.app[SERVICES]
    task = await woken(identity, tasks=services.database.documents(Task), at=services.clock())
    if task is not None:
        request.app[ERRANDS].ring(task)


def _same(task: Task, fingerprint: str | None) -> Task:
    if task.fingerprint != fingerprint:
        raise other_body()
    return task


def _cancelled(task: Task, *, at: datetime) -> Task:
    _check_undecided(task)
    if task.cancel_requested:
        return task
    if task.state is TaskState.RUNNING:
        return task.successor(cancel_requested=True, updated_at=at)
    return task.ended(Outcome(cancelled=True, result=task.result, warnings=task.warnings), at=at)


def _check_undecided(task: Task) -> None:
    if task.is_final or task.outcome is not None:
        state = task.state if task.is_final else "about to end: its outcome is decided"
        raise Refused(HTTPStatus.CONFLICT, f"The task is {state}.", step="It can no longer be cancelled.")
