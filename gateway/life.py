"""The life of a task as its callers may change it: accepted, cancelled, woken, tried again."""

from datetime import datetime
from http import HTTPStatus
from typing import Final

from aiohttp import web

from gateway.errands import ERRANDS
from gateway.idempotency import other_body
from gateway.problems import Refused
from gateway.services import SERVICES, Services
from schemas.errors import Conflict
from schemas.labeling import JobState, LabelingJob
from schemas.outcomes import Outcome
from schemas.schema import Id
from schemas.tasks import Task, TaskState
from storage.ports import Documents, Query
from storage.waking import woken

ATTEMPTS: Final = 20


async def keep(request: web.Request, task: Task) -> Task:
    """Keep a new task and ring for it; under a known id return what is kept, or raise Refused for another body."""
    tasks = request.app[SERVICES].database.documents(Task)
    try:
        # Kept first: a task that nobody was told of is found by the sweep, which rings again.
        await tasks.add(task)
    except Conflict as conflict:
        if conflict.key != "id":
            raise
        known = await kept(request.app[SERVICES], task.id, task.fingerprint)
        if known is None:
            raise
        return known
    request.app[ERRANDS].ring(task)
    return task


async def kept(services: Services, identity: Id, fingerprint: str) -> Task | None:
    """Return the task of an idempotency key, None if there is none; raise Refused if it was made by another body."""
    found = await services.database.documents(Task).get_many([identity])
    if found and found[0].fingerprint != fingerprint:
        raise other_body()
    return found[0] if found else None


async def cancel(request: web.Request, identity: Id) -> Task:
    """Cancel a task: one that runs is asked to stop, others end at once. Raise Refused (409) if it is decided."""
    services = request.app[SERVICES]
    tasks = services.database.documents(Task)
    for _ in range(ATTEMPTS):
        task = await tasks.get(identity)
        _check_undecided(task)
        if task.cancel_requested:
            return task
        cancelled = _cancelled(task, at=services.clock())
        try:
            await tasks.replace(cancelled, was=task)
        except Conflict:
            continue
        if task.state is TaskState.WAITING:
            await close_jobs(services.database.documents(LabelingJob), cancelled, at=services.clock())
        if cancelled.is_final:  # one that runs is told of by its owner
            request.app[ERRANDS].announce(cancelled)
        return cancelled
    raise Conflict("task", identity, key="generation", step="Try again.")


async def wake(request: web.Request, identity: Id) -> None:
    """Queue a waiting task again and ring for it; one that does not wait is left as it is."""
    services = request.app[SERVICES]
    task = await woken(identity, tasks=services.database.documents(Task), at=services.clock())
    if task is not None:
        request.app[ERRANDS].ring(task)


async def close_jobs(jobs: Documents[LabelingJob], task: Task, *, at: datetime) -> None:
    """Close the open labeling jobs of a task; what others close meanwhile is closed all the same."""
    page = await jobs.list(Query(equal={"task": task.id, "state": JobState.OPEN}))
    pairs = [(job.successor(state=JobState.CLOSED, closed_at=at), job) for job in page.items]
    if pairs and any(await jobs.replace_many(pairs)):
        await close_jobs(jobs, task, at=at)


def _cancelled(task: Task, *, at: datetime) -> Task:
    if task.state is TaskState.RUNNING:
        return task.successor(cancel_requested=True, updated_at=at)
    return task.ended(Outcome(cancelled=True, result=task.result, warnings=task.warnings), at=at)


def _check_undecided(task: Task) -> None:
    if task.is_final or task.outcome is not None:
        state = task.state if task.is_final else "about to end: its outcome is decided"
        raise Refused(HTTPStatus.CONFLICT, f"The task is {state}.", step="It can no longer be cancelled.")
