"""Running one claimed task: from the handler's start to the task's end, or its way back into the queue."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, TypeVar

import structlog

from schemas.errors import Invalid, Unavailable
from schemas.outcomes import Outcome, Pause
from schemas.tasks import Task, TaskState
from storage.announcing import Announcer
from storage.ports import Bus, Clock, Database
from workers.failures import verdict
from workers.ownership import Lost, Ownership, claim
from workers.records import keep, reserve
from workers.settings import WorkerSettings
from workers.work import Stopping, Work

Handler = Callable[[Work[Any]], Awaitable[Outcome | Pause]]
R = TypeVar("R")
INSIST_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Runner:
    """Runs tasks under this worker's name."""

    def __init__(
        self,
        *,
        name: str,
        handlers: Mapping[str, Handler],
        database: Database,
        bus: Bus,
        announcer: Announcer,
        clock: Clock,
        settings: WorkerSettings,
    ) -> None:
        self._name = name
        self._handlers = handlers
        self._database = database
        self._tasks = database.documents(Task)
        self._bus = bus
        self._announcer = announcer
        self._now = clock
        self._settings = settings

    async def claim(self, identity: str) -> Task | None:
        """Return the task as claimed by this worker, or None if there is nothing to run. Raises Unavailable."""
        return await claim(identity, tasks=self._tasks, by=self._name, now=self._now)

    async def run(self, task: Task) -> None:
        """Run a claimed task to its end; cancelled, hand it over to another worker."""
        owned = Ownership(task, self._tasks)
        with structlog.contextvars.bound_contextvars(task=task.id, type=task.parameters.type, epoch=task.epoch):
            async with _scratch(self._settings.scratch) as folder:
                work = Work(task, task.parameters, scratch=folder, now=self._now)
                try:
                    result = await self._attend(work, owned)
                    await self._insist(lambda: self._conclude(owned, work, result))
                except Lost:
                    log.warning("task was lost to another worker")

    async def finish(self, owned: Ownership) -> None:
        """Keep the records of a decided task and end it. Raises Unavailable, and Lost."""
        outcome = owned.task.outcome
        if outcome is None:
            message = "a task is finished when it is decided"
            raise ValueError(message)
        await self._end(owned, outcome)

    async def _attend(self, work: Work[Any], owned: Ownership) -> Outcome | Pause | Exception | None:
        job = asyncio.ensure_future(self._handlers[work.task.parameters.type](work))
        beats = asyncio.create_task(self._beat(work, owned, job))
        try:
            await asyncio.wait({job})
        except asyncio.CancelledError:
            _stop(work, job, Stopping.HANDED_OVER)
            await asyncio.wait({job})
        finally:
            beats.cancel()
        if work.stopping is Stopping.LOST:
            raise Lost(work.task.id)
        return _result_of(job)

    async def _beat(self, work: Work[Any], owned: Ownership, job: asyncio.Future[Any]) -> None:
        await self._tell(owned)
        beaten_at = time.monotonic()
        while True:
            await asyncio.sleep(self._settings.progress_seconds)
            idle = time.monotonic() - beaten_at
            if work.reported == owned.task.progress and idle < self._settings.beat_seconds:
                continue
            try:
                task = await owned.write(lambda now: now.beaten(progress=work.reported, at=self._now()))
            except Unavailable as error:
                log.warning("beat was not kept", error=error.detail)
                continue
            except Lost:
                _stop(work, job, Stopping.LOST)
                return
            beaten_at = time.monotonic()
            await self._tell(owned)
            if task.cancel_requested and work.stopping is None:
                _stop(work, job, Stopping.CANCELLED)

    async def _conclude(self, owned: Ownership, work: Work[Any], result: Outcome | Pause | Exception | None) -> None:
        if owned.task.state is not TaskState.RUNNING:  # concluded before, all but the telling
            await self._announce(owned.task)
            return
        match self._settled(work, owned, result):
            case Outcome() as outcome:
                await self._decide(owned, outcome)
            case Pause() as pause:
                await owned.write(lambda task: task.paused(pause, at=self._now()))
            case not_before:
                tried = work.stopping is not Stopping.HANDED_OVER
                await owned.write(lambda task: task.put_back(at=self._now(), not_before=not_before, tried=tried))
                await self._ring(owned.task)
        await self._announce(owned.task)

    def _settled(
        self, work: Work[Any], owned: Ownership, result: Outcome | Pause | Exception | None
    ) -> Outcome | Pause | datetime:
        if isinstance(result, Exception):
            return verdict(owned.task, result, at=self._now())
        if result is None:  # stopped, and the handler had nothing to say
            return Outcome(cancelled=True) if work.stopping is Stopping.CANCELLED else self._now()
        return result

    async def _decide(self, owned: Ownership, outcome: Outcome) -> None:
        try:
            await reserve(owned.task, outcome, self._database)
        except Invalid as error:
            refused = verdict(owned.task, error, at=self._now())
            outcome = refused if isinstance(refused, Outcome) else outcome
        if outcome.records:
            await owned.write(lambda task: task.decided(outcome, at=self._now()))
        await self._end(owned, outcome)

    async def _end(self, owned: Ownership, outcome: Outcome) -> None:
        kept = await keep(owned.task, outcome, self._database, at=self._now())
        await owned.write(lambda task: task.ended(kept.outcome, at=self._now(), facts=kept.facts))
        log.info("task ended", state=owned.task.state, problem=outcome.problem and outcome.problem.detail)

    async def _tell(self, owned: Ownership) -> None:
        try:
            owned.logged(await self._announcer.tell(owned.task))
        except Unavailable as error:
            log.warning("facts are left to the sweep", error=error.detail)

    async def _announce(self, task: Task) -> None:
        try:
            await self._announcer.announce(task)
        except Unavailable as error:
            log.warning("facts are left to the sweep", error=error.detail)

    async def _ring(self, task: Task) -> None:
        try:
            await self._bus.ring(task.doorbell())
        except Unavailable as error:
            log.warning("ring is left to the sweep", error=error.detail)

    async def _insist(self, step: Callable[[], Awaitable[R]]) -> R:
        while True:
            try:
                return await step()
            except Unavailable as error:
                log.warning("the end of a task waits for the store", error=error.detail)
                await asyncio.sleep(INSIST_SECONDS)


def _stop(work: Work[Any], job: asyncio.Future[Any], why: Stopping) -> None:
    work.stopping = why
    job.cancel()


def _result_of(job: asyncio.Future[Any]) -> Outcome | Pause | Exception | None:
    if job.cancelled():
        return None
    error = job.exception()
    if error is None:
        result: Outcome | Pause = job.result()
        return result
    if isinstance(error, Exception):
        return error
    raise error


@asynccontextmanager
async def _scratch(parent: Path) -> AsyncIterator[Path]:
    folder = Path(await asyncio.to_thread(mkdtemp, prefix="attempt-", dir=parent))
    try:
        yield folder
    finally:
        await asyncio.to_thread(rmtree, folder, ignore_errors=True)
