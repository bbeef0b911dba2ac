"""Running one claimed task: from the handler's start to the task's end, or its way back into the queue."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from shutil import rmtree
from typing import Any

import structlog

from schemas.errors import Invalid, NotFound, Unavailable
from schemas.live_logs import LiveLog
from schemas.outcomes import ExecutorRecord, Outcome, Pause, Record
from schemas.task_states import TaskState
from schemas.tasks import Task
from storage.announcing import Announcer
from storage.ports import Bus, Clock, Database
from workers import metrics
from workers.executors.live_log import forget_live
from workers.failures import instance_of, verdict
from workers.ownership import Lost, Ownership, claim
from workers.records import keep, reserve
from workers.settings import WorkerSettings
from workers.work import Busy, Gpus, Stopping, Work

Handler = Callable[[Work[Any]], Awaitable[Outcome | Pause]]
# What becomes of a task: its outcome, a pause, the queue (until it has what it needs, or to be tried again at an
# instant), or None: it is handed over.
Settled = Outcome | Pause | Busy | datetime | None
INSIST_SECONDS = 1.0
# A task that ends sooner is told of once, with its end.
TELL_SECONDS = 0.1

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
        gpus: Gpus | None = None,
    ) -> None:
        self._name = name
        self._handlers = handlers
        self._database = database
        self._tasks = database.documents(Task)
        self._bus = bus
        self._announcer = announcer
        self._now = clock
        self._settings = settings
        self._gpus = gpus
        self._jobs: dict[Work[Any], asyncio.Task[Any]] = {}
        self._is_stopping = False

    async def claim(self, identity: str) -> Task | None:
        """Return the task as claimed by this worker, or None if there is nothing to run. Raises Unavailable."""
        may_run = None if self._gpus is None else self._gpus.may_run
        return await claim(identity, tasks=self._tasks, by=self._name, now=self._now, may_run=may_run)

    async def run(self, task: Task) -> None:
        """Run a claimed task to its end; after ``stop``, hand it over. Cancelled, leave it to the sweep."""
        owned = Ownership(task, self._tasks)
        scratch = self._settings.scratch / f"attempt-{task.id}-{task.epoch}"
        work = Work(task, task.parameters, scratch=scratch, now=self._now, gpus=self._gpus)
        with structlog.contextvars.bound_contextvars(task=task.id, type=task.parameters.type, epoch=task.epoch):
            try:
                await self._conclude(owned, self._settled(work, owned, await self._attend(work, owned)))
            except Lost:
                metrics.LOST.inc()
                log.warning("task was lost to another worker")
            finally:
                await asyncio.to_thread(rmtree, scratch, ignore_errors=True)
                # Of a task that was lost it is another's to write anything: its own log takes the place of this.
                if work.is_logging and work.stopping is not Stopping.LOST:
                    await self._beside(forget_live(task, logs=self._database.documents(LiveLog)))

    def stop(self) -> None:
        """Stop every handler, also of tasks that are yet to be run: another worker will start them anew."""
        self._is_stopping = True
        for work, job in self._jobs.items():
            _stop(work, job, Stopping.HANDED_OVER)

    async def finish(self, owned: Ownership) -> None:
        """Keep the records of a decided task and end it. Raises Unavailable, and Lost."""
        outcome = owned.task.outcome
        if outcome is None:
            message = "a task is finished when it is decided"
            raise ValueError(message)
        await self._end(owned, outcome)

    async def _attend(self, work: Work[Any], owned: Ownership) -> Outcome | Pause | Exception | None:
        job = self._jobs[work] = asyncio.create_task(self._handle(work))
        beats = asyncio.create_task(self._beat(work, owned, job))
        if self._is_stopping:
            _stop(work, job, Stopping.HANDED_OVER)
        try:
            await asyncio.wait({job})
        finally:
            del self._jobs[work]
            job.cancel()
            beats.cancel()
        if work.stopping is Stopping.LOST:
            raise Lost(work.task.id)
        return _result_of(job)

    async def _handle(self, work: Work[Any]) -> Outcome | Pause:
        try:
            await asyncio.to_thread(work.scratch.mkdir, mode=0o700, parents=True)
        except OSError as error:
            raise Unavailable(f"No folder can be made for the work: {error.strerror}.") from error
        try:
            return await self._handlers[work.task.parameters.type](work)
        finally:
            await self._release(work.task)

    async def _release(self, task: Task) -> None:
        try:
            if self._gpus is not None:
                await self._gpus.release(task)
        except Unavailable as error:
            log.warning("GPUs are taken back later", error=error.detail)

    async def _beat(self, work: Work[Any], owned: Ownership, job: asyncio.Task[Any]) -> None:
        beaten_at = time.monotonic()
        await asyncio.sleep(TELL_SECONDS)
        await self._tell(owned)
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
            except Exception:
                log.exception("beat failed")
                continue
            beaten_at = time.monotonic()
            if task.cancel_requested and work.stopping is None:
                _stop(work, job, Stopping.CANCELLED)
            if task.facts:
                await self._tell(owned)

    def _settled(self, work: Work[Any], owned: Ownership, result: Outcome | Pause | Exception | None) -> Settled:
        if isinstance(result, Outcome | Pause):
            return result
        if work.stopping is None:
            if isinstance(result, Busy):
                return result
            error = result or RuntimeError("the handler ended without an outcome, and nobody had stopped it")
            return verdict(owned.task, error, at=self._now())
        if result is not None:
            log.warning("a handler broke while it was stopped", exc_info=result)
        return Outcome(cancelled=True) if work.stopping is Stopping.CANCELLED else None

    async def _conclude(self, owned: Ownership, settled: Settled) -> None:
        while True:
            try:
                await self._settle(owned, settled)
            except Unavailable as error:
                log.warning("the end of a task waits for the store", error=error.detail)
                await asyncio.sleep(INSIST_SECONDS)
            else:
                break
        task = owned.task
        if task.state is TaskState.QUEUED and task.not_before is None:
            await self._beside(self._bus.ring(task.doorbell()))
        await self._beside(self._announcer.announce(task))

    async def _settle(self, owned: Ownership, settled: Settled) -> None:
        match settled:
            case Outcome() as outcome:
                await self._decide(owned, outcome)
            case Pause() as pause:
                await owned.write(lambda task: task.paused(pause, at=self._now()))
            case Busy(waiting_for=what):
                await owned.write(lambda task: task.put_back(at=self._now(), waiting_for=what))
            case not_before:
                tried = not_before is not None
                metrics.RETRIES.labels(owned.task.parameters.type).inc(tried)
                await owned.write(lambda task: task.put_back(at=self._now(), not_before=not_before, tried=tried))

    async def _decide(self, owned: Ownership, outcome: Outcome) -> None:
        if outcome.new_classes or any(map(_takes_a_name, outcome.records)):
            await owned.confirm()
        try:
            await reserve(owned.task, outcome, self._database)
        except (Invalid, NotFound) as error:
            refused = verdict(owned.task, error, at=self._now())
            if isinstance(refused, Outcome):
                kept = {name: getattr(outcome, name) for name in ("report", "log", "warnings")}
                outcome = refused.model_copy(update=kept)
        if outcome.records:
            await owned.write(lambda task: task.decided(outcome, at=self._now()))
        await self._end(owned, outcome)

    async def _end(self, owned: Ownership, outcome: Outcome) -> None:
        if outcome.problem is not None:
            problem = outcome.problem.model_copy(update={"instance": instance_of(owned.task)})
            outcome = outcome.model_copy(update={"problem": problem})
        kept = await keep(owned.task, outcome, self._database, at=self._now())
        await owned.write(lambda task: task.ended(kept.outcome, at=self._now(), facts=kept.facts))
        metrics.count_end(owned.task)
        log.info("task ended", state=owned.task.state, problem=outcome.problem and outcome.problem.detail)

    async def _tell(self, owned: Ownership) -> None:
        async def tell() -> None:
            owned.logged(await self._announcer.tell(owned.task))

        await self._beside(tell())

    async def _beside(self, telling: Awaitable[object]) -> None:
        """Do what the sweep does anyway, only sooner: a bus that is away or hangs neither ends nor delays the work."""
        try:
            async with asyncio.timeout(self._settings.tell_seconds):
                await telling
        except (Unavailable, TimeoutError) as error:
            log.warning("telling is left to the sweep", error=str(error) or "it took too long")
        except Exception:
            log.exception("telling failed")


def _takes_a_name(record: Record) -> bool:
    return isinstance(record, ExecutorRecord) or bool(getattr(record, "tag", None))


def _stop(work: Work[Any], job: asyncio.Task[Any], why: Stopping) -> None:
    work.stopping = why
    job.cancel()


def _result_of(job: asyncio.Task[Any]) -> Outcome | Pause | Exception | None:
    if job.cancelled():
        return None
    error = job.exception()
    if error is None:
        result: Outcome | Pause = job.result()
        return result
    if isinstance(error, Exception):
        return error
    raise error
