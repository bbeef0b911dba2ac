"""Announcing: the facts of a task go to the event log and onto the bus, and then out of the task."""

from collections.abc import Sequence

import structlog

from schemas.errors import Conflict
from schemas.events import EventType, Fact
from schemas.schema import Id
from schemas.tasks import Task
from storage.event_log import EventLog
from storage.ports import Bus, Documents

log = structlog.get_logger(__name__)


class Announcer:
    """Tells the world of what happened to tasks; whatever is told twice is one event in the log."""

    def __init__(self, tasks: Documents[Task], event_log: EventLog, bus: Bus) -> None:
        self._tasks = tasks
        self._event_log = event_log
        self._bus = bus

    async def tell(self, task: Task) -> frozenset[Id]:
        """Append the facts of a task to the log and publish them; return their ids. Raises Unavailable.

        Whatever is in the log has been published, or is in its task until it is.
        """
        if not task.facts:
            return frozenset()
        await self._append(task, [fact for fact in task.facts if fact.type is not EventType.TASK_PROGRESSED])
        await self._bus.publish([fact.announced_by(self._event_log.source) for fact in task.facts])
        # Last, since a task forgets its progress as soon as there is more of it.
        await self._append(task, [fact for fact in task.facts if fact.type is EventType.TASK_PROGRESSED])
        return frozenset(fact.id for fact in task.facts)

    async def announce(self, task: Task) -> Task:
        """Tell of a task and take what was told out of it; somebody else's change meanwhile is left to the sweep."""
        told = await self.tell(task)
        if not told:
            return task
        announced = task.announced(told)
        try:
            await self._tasks.replace(announced, was=task)
        except Conflict:
            log.debug("task changed while it was announced", task=task.id)
            return task
        return announced

    async def _append(self, task: Task, facts: Sequence[Fact]) -> None:
        if facts:
            await self._event_log.append([(fact, task.project) for fact in facts])
