"""The sweep: finds what was forgotten, whoever forgot it, and sets it going again."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import NamedTuple

import structlog

from schemas.errors import Conflict, Unavailable
from schemas.outcomes import Outcome
from schemas.tasks import EPOCHS_OUTLIVED, Task, TaskState
from storage.announcing import Announcer
from storage.ports import Bus, Clock, Documents, Query, Scalar
from workers.failures import outlived
from workers.ownership import Lost, Ownership
from workers.runner import Runner
from workers.settings import WorkerSettings

FIRST_RING_SECONDS = 5.0
LONGEST_RING_SECONDS = 600.0

Monotonic = Callable[[], float]
IsOver = Callable[[Task], Awaitable[bool]]
log = structlog.get_logger(__name__)


class Seen(NamedTuple):
    """When something was first seen as it is now, and (for a ring) how long until it is done."""

    mark: object
    since: float
    patience: float


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
        self._bus = bus
        self._announcer = announcer
        self._now = clock
        self._settings = settings
        self._is_over = is_over
        self._monotonic = monotonic
        self._seen: dict[tuple[str, str], Seen] = {}

    async def run(self) -> None:
        """Sweep until cancelled; an outage delays, and restarts nothing."""
        while True:
            try:
                await self.sweep()
            except Unavailable as error:
                log.warning("the sweep waits for the store", error=error.detail)
            except Exception:
                log.exception("the sweep failed")
            await asyncio.sleep(self._settings.sweep_seconds)

    async def sweep(self) -> None:
        """Look once at all tasks that are not done. Raises Unavailable."""
        met = {
            *[await self._queued(task) async for task in self._all(state=TaskState.QUEUED)],
            *[await self._running(task) async for task in self._all(state=TaskState.RUNNING)],
            *[await self._waiting(task) async for task in self._all(state=TaskState.WAITING)],
            *[await self._unannounced(task) async for task in self._all(unannounced=True)],
        }
        self._seen = {key: seen for key, seen in self._seen.items() if key in met}

    async def take_all(self) -> None:
        """Take every running task at once: for the only process that there can be. Raises Unavailable."""
        async for task in self._all(state=TaskState.RUNNING):
            await self._take(task)

    async def _queued(self, task: Task) -> tuple[str, str]:
        key = ("ring", task.id)
        if task.not_before is not None and task.not_before > self._now():
            return key
        seen = self._seen.setdefault(key, Seen(task.epoch, self._monotonic(), FIRST_RING_SECONDS))
        due = task.not_before is not None and seen.mark != ("woken", task.epoch)
        if due or self._monotonic() - seen.since >= seen.patience:
            patience = FIRST_RING_SECONDS if due else min(seen.patience * 2, LONGEST_RING_SECONDS)
            self._seen[key] = Seen(("woken", task.epoch), self._monotonic(), patience)
            await self._bus.ring(task.doorbell())
        return key

    async def _running(self, task: Task) -> tuple[str, str]:
        key, mark = ("beat", task.id), (task.epoch, task.beat, task.outcome is None)
        if self._unchanged_for(key, mark) >= self._settings.orphan_seconds:
            await self._take(task)
        return key

    async def _waiting(self, task: Task) -> tuple[str, str]:
        is_over = self._is_over.get(task.parameters.type)
        due = task.not_before is not None and task.not_before <= self._now()
        if due or (is_over is not None and await is_over(task)):
            await self._replace(task, task.woken(at=self._now()))
        return ("wait", task.id)

    async def _unannounced(self, task: Task) -> tuple[str, str]:
        key = ("facts", task.id)
        # Whoever made the facts is telling of them right now, unless they stay.
        if self._unchanged_for(key, task.generation) >= self._settings.sweep_seconds:
            await self._announcer.announce(task)
        return key

    def _unchanged_for(self, key: tuple[str, str], mark: object) -> float:
        seen = self._seen.get(key)
        if seen is None or seen.mark != mark:
            seen = self._seen[key] = Seen(mark, self._monotonic(), 0.0)
        return self._monotonic() - seen.since

    async def _take(self, task: Task) -> None:
        log.warning("a worker vanished", task=task.id, owner=task.owner, epoch=task.epoch)
        try:
            if task.outcome is not None:
                await self._runner.finish(Ownership(task, self._tasks))
            elif task.cancel_requested:
                await self._replace(task, task.ended(Outcome(cancelled=True), at=self._now()))
            elif task.outlived + 1 >= EPOCHS_OUTLIVED:
                counted = task.model_copy(update={"outlived": task.outlived + 1})
                await self._replace(task, counted.ended(outlived(counted), at=self._now()))
            else:
                await self._replace(task, task.orphaned(at=self._now()))
        except Lost:
            log.info("the worker was not gone", task=task.id)

    async def _replace(self, task: Task, successor: Task) -> None:
        try:
            await self._tasks.replace(successor, was=task)
        except Conflict:
            return  # it lives, or another sweep was faster
        if successor.state is TaskState.QUEUED:
            await self._bus.ring(successor.doorbell())
        await self._announcer.announce(successor)

    async def _all(self, **equal: Scalar) -> AsyncIterator[Task]:
        cursor = None
        while True:
            page = await self._tasks.list(Query(equal=equal), order="created_at", limit=500, cursor=cursor)
            for task in page.items:
                yield task
            if (cursor := page.next) is None:
                return
