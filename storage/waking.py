"""Waking a task that waits: what it waits for has come."""

from datetime import datetime
from typing import Final

from schemas.errors import Conflict
from schemas.schema import Id
from schemas.tasks import Task, TaskState
from storage.ports import Documents

ATTEMPTS: Final = 20


async def woken(identity: Id, *, tasks: Documents[Task], at: datetime) -> Task | None:
    """Queue a waiting task again and return it, to be rung for; one that does not wait is left as it is.

    Raises Conflict if others change it again and again.
    """
    for _ in range(ATTEMPTS):
        task = await tasks.get(identity)
        if task.state is not TaskState.WAITING:
            return None
        queued = task.woken(at=at)
        try:
            await tasks.replace(queued, was=task)
        except Conflict:
            continue
        return queued
    raise Conflict("task", identity, key="generation", step="Try again.")
