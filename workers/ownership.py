"""Ownership of a running task: every write of its owner, one at a time, fenced by the epoch."""

import asyncio
from collections.abc import Awaitable, Callable

from schemas.errors import Conflict
from schemas.schema import Id
from schemas.task_states import TaskState
from schemas.tasks import Task
from storage.ports import Clock, Documents


class Lost(Exception):
    """The task belongs to another worker now: stop, and write nothing."""


class Ownership:
    """A claimed task as its owner knows it."""

    def __init__(self, task: Task, tasks: Documents[Task]) -> None:
        self.task = task
        self._epoch = task.epoch
        self._tasks = tasks
        self._lock = asyncio.Lock()
        self._logged: frozenset[Id] = frozenset()

    async def write(self, change: Callable[[Task], Task]) -> Task:
        """Keep the task as ``change`` makes it, again if somebody else changed it meanwhile.

        Raises Lost when the epoch is another by now, Unavailable when the store does not answer.
        """
        async with self._lock:
            while True:
                successor = change(self._without_logged_facts(self.task))
                try:
                    await self._tasks.replace(successor, was=self.task)
                except Conflict:
                    self.task = await self._reread(successor)
                    if self.task != successor:
                        continue
                self.task = successor
                self._logged &= {fact.id for fact in successor.facts}
                return successor

    async def confirm(self) -> None:
        """Raise Lost if the epoch is another by now: before what is written elsewhere, which nothing fences."""
        current = await self._tasks.get(self.task.id)
        if current.epoch != self._epoch or current.state is not TaskState.RUNNING:
            raise Lost(current.id)

    def logged(self, ids: frozenset[Id]) -> None:
        """Note facts that are in the event log by now; the next write leaves them out."""
        self._logged |= ids

    def _without_logged_facts(self, task: Task) -> Task:
        facts = tuple(fact for fact in task.facts if fact.id not in self._logged)
        return task.model_copy(update={"facts": facts})

    async def _reread(self, successor: Task) -> Task:
        current = await self._tasks.get(successor.id)
        # An answer that was lost on its way looks like a conflict with oneself.
        if current == successor or (current.epoch == self._epoch and current.state is TaskState.RUNNING):
            return current
        raise Lost(successor.id)


async def claim(
    identity: Id,
    *,
    tasks: Documents[Task],
    by: str,
    now: Clock,
    may_run: Callable[[Task], Awaitable[bool]] | None = None,
) -> Task | None:
    """Return the task as claimed by this worker; None if it is not to be run now or here, or another was faster."""
    claimed = None
    while True:
        task = await tasks.get(identity)
        if task == claimed:
            return task  # the answer to the write was lost on its way
        at = now()
        if task.state is not TaskState.QUEUED or (task.not_before is not None and task.not_before > at):
            return None
        if may_run is not None and not await may_run(task):
            return None
        claimed = task.claimed(by=by, at=at)
        try:
            await tasks.replace(claimed, was=task)
        except Conflict:
            continue  # perhaps only its facts were taken out, and it is still to be run
        return claimed
