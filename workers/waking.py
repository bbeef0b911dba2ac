"""Waking a task that waits: what it waits for has come."""

from schemas.errors import Conflict
from schemas.schema import Id
from schemas.tasks import Task, TaskState
from storage.ports import Bus, Clock, Database


async def wake(identity: Id, *, database: Database, bus: Bus, now: Clock) -> None:
    """Queue a waiting task again and ring for it; one that does not wait is left as it is. Raises Unavailable."""
    tasks = database.documents(Task)
    while True:
        task = await tasks.get(identity)
        if task.state is not TaskState.WAITING:
            return
        woken = task.woken(at=now())
        try:
            await tasks.replace(woken, was=task)
        except Conflict:
            continue
        await bus.ring(woken.doorbell())
        return
