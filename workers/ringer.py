"""Ringing again for queued tasks: a doorbell may have been lost, or was for a time that had not come."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from itertools import chain
from typing import NamedTuple

from schemas.parameters import Slot
from schemas.schema import Id
from schemas.task_states import TaskState
from schemas.tasks import Task
from storage.ports import Bus, Clock, Documents, Query, Scalar

FIRST_RING_SECONDS = 5.0
LONGEST_RING_SECONDS = 600.0
# So many queued tasks of a kind of slot are looked at, and so many of its doorbells have to wait for none to be added:
# however long the line is, a sweep and the bus's queues are not. Of the others it is enough that they come nearer.
FIRST_IN_LINE = 500
DOORBELLS_ENOUGH = 1_000

Monotonic = Callable[[], float]


class Ring(NamedTuple):
    """When a queued task was rung for (at first: seen), and how long until it is rung for again."""

    epoch: int
    rung_at: float
    patience: float


class Ringer:
    """Rings for the queued tasks that it sees, with ever longer pauses."""

    def __init__(self, tasks: Documents[Task], bus: Bus, *, clock: Clock, monotonic: Monotonic) -> None:
        self._tasks = tasks
        self._bus = bus
        self._now = clock
        self._monotonic = monotonic
        self._rings: dict[Id, Ring] = {}
        self._enough: dict[Slot, bool] = {}
        self._asking = asyncio.Lock()

    async def first_in_line(self) -> AsyncIterator[Task]:
        """Yield the queued tasks, the oldest first; if they are many, the first of each kind of slot."""
        self._enough = {}
        line: dict[str, Scalar] = {"state": TaskState.QUEUED}
        page = await self._tasks.list(Query(equal=line), order="created_at", limit=FIRST_IN_LINE)
        pages = [page]
        if page.next is not None:
            lines = [Query(equal={**line, "slot": slot}) for slot in Slot]
            pages = [await self._tasks.list(one, order="created_at", limit=FIRST_IN_LINE) for one in lines]
        for task in chain.from_iterable(one.items for one in pages):
            yield task

    async def look(self, task: Task) -> None:
        """Ring for a queued task if it is time to. Raises Unavailable."""
        if task.not_before is not None and task.not_before > self._now():
            return
        at = self._monotonic()
        ring = self._rings.get(task.id)
        if ring is None or ring.epoch != task.epoch:
            # Nobody rings for a task when its time has come.
            ring = Ring(task.epoch, at, FIRST_RING_SECONDS if task.not_before is None else 0.0)
        if at - ring.rung_at >= ring.patience and not await self._has_enough(task.slot):
            await self._bus.ring(task.doorbell())
            patience = max(FIRST_RING_SECONDS, min(ring.patience * 2, LONGEST_RING_SECONDS))
            ring = Ring(task.epoch, at, patience)
        self._rings[task.id] = ring

    def ring_soon(self, task: Task) -> None:
        """Have the next look ring for a task."""
        self._rings[task.id] = Ring(task.epoch, self._monotonic(), 0.0)

    def forget_but(self, tasks: Collection[Id]) -> None:
        """Forget the tasks that are not among some: they are in no queue any more."""
        self._rings = {task: ring for task, ring in self._rings.items() if task in tasks}

    async def _has_enough(self, slot: Slot) -> bool:
        """Return whether so many doorbells wait for a kind of slot that one more would help nobody."""
        async with self._asking:
            if slot not in self._enough:
                self._enough[slot] = await self._bus.waiting(slot) >= DOORBELLS_ENOUGH
            return self._enough[slot]
