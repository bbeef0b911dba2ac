"""The sweep: finds what was forgotten, whoever forgot it, and sets it going again."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

import structlog

from schemas.errors import Conflict, Invalid, Unavailable
from schemas.schema import Id
from schemas.task_states import TaskState
from schemas.tasks import EPOCHS_OUTLIVED, Task
from storage.announcing import Announcer
from storage.paging import every
from storage.ports import Bus, Clock, Documents, Query, Scalar
from workers import metrics
from workers.failures import outlived
from workers.ownership import Lost, Ownership
from workers.ringer import Monotonic, Ringer
from workers.runner import Runner
from workers.settings import WorkerSettings

LOOK_SECONDS = 30.0
# A sweep that takes long is made seldom: stores and processor are there for the work.
PAUSE_FACTOR = 4.0
LONGEST_PAUSE_SECONDS = 10.0
# So many tasks are looked at together: the stores take what comes together at once.
TOGETHER = 32
# Whoever owns a running task tells of it.
UNOWNED = tuple(state for state in TaskState if state is not TaskState.RUNNING)

IsOver = Callable[[Task], Awaitable[bool]]
log = structlog.get_logger(__name__)


class Seen(NamedTuple):
    """How a task was seen at the last look, and for how long it had been so by then."""

    mark: object
    seconds: float
    looked_at: float


class Sweep:
    """One process's watch over all tasks; only what it has itself seen, by its own clock, counts."""

    def __init__(
        self,
        *,
        tasks: Documents[Task],
        runner: Runner,
        bus: Bus,
        announcer: Announcer,
        clock: Clock,
        settings: WorkerSettings,
        is_over: Mapping[str, IsOver],
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        """``is_over`` tells, by type, whether what a waiting task waits for has come already."""
        self._tasks = tasks
        self._runner = runner
        self._announcer = announcer
        self._now = clock
        self._settings = settings
        self._is_over = is_over
        self._monotonic = monotonic
        self._seen: dict[Id, Seen] = {}
        self._ringer = Ringer(tasks, bus, clock=clock, monotonic=monotonic)
        self._is_whole = True

    async def run(self) -> None:
        """Sweep until cancelled; an outage delays, and restarts nothing."""
        while True:
            began_at, is_whole = self._monotonic(), False
            try:
                is_whole = await self.sweep()
            except (Invalid, Unavailable) as error:
                log.warning("the sweep waits for the store", error=error.detail, step=error.step)
            except Exception:
                log.exception("the sweep failed")
            # Waiting for what is away is no load.
            took = self._monotonic() - began_at if is_whole else 0.0
            pause = min(PAUSE_FACTOR * took, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(max(self._settings.sweep_seconds, pause))

    async def sweep(self) -> bool:
        """Look once at all tasks that are not done, and return whether each was looked after. Raises Unavailable."""
        self._is_whole = True
        met = {
            *await self._each(self._running, self._all(state=TaskState.RUNNING)),
            *await self._each(self._waiting, self._all(state=TaskState.WAITING)),
            *await self._each(self._unannounced, self._all(unannounced=True, state=UNOWNED)),
            # Last: it rings for what the others have put into the queue.
            *await self._each(self._ringer.look, self._ringer.first_in_line()),
        }
        self._seen = {task: seen for task, seen in self._seen.items() if task in met}
        self._ringer.forget_but(met)
        return self._is_whole

    async def take_all(self) -> None:
        """Take every running task, and ring at once for every queued one: for the only process that there can be.

        Raises Unavailable.
        """
        await self._each(self._take, self._all(state=TaskState.RUNNING))
        async for task in self._all(state=TaskState.QUEUED):
            self._ringer.ring_soon(task)

    async def _each(self, look: Callable[[Task], Awaitable[None]], tasks: AsyncIterator[Task]) -> set[Id]:
        """Look at each of some tasks, and return their ids; what goes wrong with one is not the others' affair."""
        met: set[Id] = set()
        is_away = False
        async for some in _together(tasks):
            met.update(task.id for task in some)
            if not is_away:
                wrong = await asyncio.gather(*(self._looked(look, task) for task in some))
                if is_away := any(wrong):
                    self._is_whole = False
                    log.warning("tasks are left to the next sweep", error=next(filter(None, wrong)))
        return met

    async def _looked(self, look: Callable[[Task], Awaitable[None]], task: Task) -> str:
        """Look at a task, and return what is away, if something is."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await look(task)
        except (Unavailable, TimeoutError) as error:
            return str(error) or "it took too long"
        except Exception:
            log.exception("a task could not be looked after", task=task.id)
        return ""

    async def _running(self, task: Task) -> None:
        mark = (task.epoch, task.beat, task.outcome is None)
        if self._unchanged_seconds(task, mark) >= self._settings.orphan_seconds:
            del self._seen[task.id]  # should it not be possible to take it, it is tried again only after a while
            await self._take(task)

    async def _waiting(self, task: Task) -> None:
        is_over = self._is_over.get(task.parameters.type)
        due = task.not_before is not None and task.not_before <= self._now()
        if due or (is_over is not None and await is_over(task)):
            await self._replace(task, task.woken(at=self._now()))

    async def _unannounced(self, task: Task) -> None:
        # Whoever made the facts is telling of them right now, unless they stay.
        if self._unchanged_seconds(task, task.generation) >= self._settings.sweep_seconds:
            await self._announcer.announce(task)

    def _unchanged_seconds(self, task: Task, mark: object) -> float:
        """Return for how long a task was seen as it is.

        A long time between two looks counts for little: if the store was away, the owner could not write either.
        """
        at, seen = self._monotonic(), self._seen.get(task.id)
        seconds = 0.0
        if seen is not None and seen.mark == mark:
            seconds = seen.seconds + min(at - seen.looked_at, self._settings.orphan_seconds / 3)
        self._seen[task.id] = Seen(mark, seconds, at)
        return seconds

    async def _take(self, task: Task) -> None:
        metrics.TAKEN.inc()
        log.warning("a worker vanished", task=task.id, owner=task.owner, epoch=task.epoch)
        if task.outcome is not None:
            try:
                await self._runner.finish(Ownership(task, self._tasks))
            except Lost:
                log.info("another was faster", task=task.id)
        elif task.cancel_requested or task.outlived + 1 < EPOCHS_OUTLIVED:
            await self._replace(task, task.orphaned(at=self._now()))
        else:
            counted = task.model_copy(update={"outlived": task.outlived + 1})
            await self._replace(task, counted.ended(outlived(counted), at=self._now()))

    async def _replace(self, task: Task, successor: Task) -> None:
        try:
            await self._tasks.replace(successor, was=task)
        except Conflict:
            return  # it lives, or another sweep was faster
        if successor.state is TaskState.QUEUED:
            self._ringer.ring_soon(successor)

    def _all(self, **equal: Scalar | Sequence[Scalar]) -> AsyncIterator[Task]:
        return every(self._tasks, Query(equal=equal), order="created_at")


async def _together(tasks: AsyncIterator[Task]) -> AsyncIterator[list[Task]]:
    some: list[Task] = []
    async for task in tasks:
        some.append(task)
        if len(some) == TOGETHER:
            yield some
            some = []
    if some:
        yield some
