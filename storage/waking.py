"""Waking a task that waits: what it waits for has come."""

from datetime import datetime
from functools import partial

from schemas.schema import Id
from schemas.task_states import TaskState
from schemas.tasks import Task
from storage.contested import changed
from storage.ports import Documents


async def woken(identity: Id, *, tasks: Documents[Task], at: datetime) -> Task | None:
    """Queue a waiting task again and return it, to be rung for; one that does not wait is left as it is.

    Raises Conflict if others change it again and again.
    """

    def queued(task: Task) -> Task:
        return task.woken(at=at) if task.state is TaskState.WAITING else task

    was, now = await changed(tasks, partial(tasks.get, identity), queued)
    return None if now is was else now
