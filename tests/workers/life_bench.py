"""A worker on the embedded adapters with one handler, its sweep on a clock that a test moves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from typing_extensions import override

from schemas.algebra_parameters import SampleParameters
from schemas.blobs import BlobRef
from schemas.datasets import Version
from schemas.errors import Conflict
from schemas.events import LoggedEvent
from schemas.outcomes import Outcome, TaskResult, VersionDraft
from schemas.parameters import MakesVersion, Slot
from schemas.schema import digest_of
from schemas.task_states import TaskState
from schemas.tasks import Task
from storage.announcing import Announcer
from storage.event_log import EventLog
from storage.local_bus import LocalBus
from storage.ports import Bus, Database, Documents
from tests.factories import a_task
from workers.consumer import Consumer
from workers.runner import Handler, Runner
from workers.settings import WorkerSettings
from workers.sweep import Sweep
from workers.work import Work

SECONDS = 5.0


class Clockwork:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class LoudAnnouncer(Announcer):
    """Wakes those who wait for what becomes of a task."""

    def __init__(self, tasks: Documents[Task], event_log: EventLog, bus: Bus) -> None:
        super().__init__(tasks, event_log, bus)
        self.announced = asyncio.Condition()

    @override
    async def announce(self, task: Task) -> Task:
        try:
            return await super().announce(task)
        finally:
            async with self.announced:
                self.announced.notify_all()


class Bench:
    """A worker with one handler, and what it works on."""

    def __init__(self, database: Database, folder: Path, handler: Handler) -> None:
        self.database = database
        self.tasks: Documents[Task] = database.documents(Task)
        self.bus = LocalBus()
        self.settings = WorkerSettings(
            work=folder,
            beat_seconds=0.05,
            progress_seconds=0.02,
            idle_seconds=0.2,
            tell_seconds=0.1,
            grace_seconds=0.5,
        )
        self.announcer = LoudAnnouncer(self.tasks, EventLog(database, source="test"), self.bus)
        self.runner = Runner(
            name="worker",
            handlers={"sample": handler},
            database=database,
            bus=self.bus,
            announcer=self.announcer,
            clock=lambda: datetime.now(UTC),
            settings=self.settings,
        )
        self.monotonic = Clockwork()
        self.sweep = Sweep(
            tasks=self.tasks,
            runner=self.runner,
            bus=self.bus,
            announcer=self.announcer,
            clock=lambda: datetime.now(UTC),
            settings=self.settings,
            is_over={},
            monotonic=self.monotonic,
        )

    async def accept(self, **changes: Any) -> Task:  # noqa: ANN401 - a change may be of any field
        task = a_task(**changes)
        await self.tasks.add(task)
        return task

    async def run(self, task: Task) -> Task:
        claimed = await self.runner.claim(task.id)
        assert claimed is not None
        await self.runner.run(claimed)
        return await self.tasks.get(task.id)

    @asynccontextmanager
    async def working(self, slots: int = 1) -> AsyncIterator[None]:
        settings = self.settings.model_copy(update={"slots": {Slot.DATA: slots}})
        consumer = Consumer(bus=self.bus, runner=self.runner, settings=settings)
        serving = asyncio.create_task(consumer.run())
        try:
            yield
        finally:
            serving.cancel()
            await asyncio.wait({serving})

    async def until(self, identity: str, state: TaskState) -> Task:
        async with asyncio.timeout(SECONDS), self.announcer.announced:
            while (task := await self.tasks.get(identity)).state is not state or task.facts:
                await self.announcer.announced.wait()
            return task

    async def watch(self, seconds: float) -> None:
        """Sweep for some seconds of the sweep's own clock, and once more."""
        end = self.monotonic.seconds + seconds
        while self.monotonic.seconds < end:
            await self.sweep.sweep()
            self.monotonic.seconds = min(end, self.monotonic.seconds + self.settings.sweep_seconds)
        await self.sweep.sweep()

    async def ask_to_cancel(self, task: Task) -> None:
        """Ask the owner of a running task to stop, as the gateway does."""
        while True:
            current = await self.tasks.get(task.id)
            with suppress(Conflict):
                await self.tasks.replace(current.successor(cancel_requested=True), was=current)
                return

    async def events(self) -> list[LoggedEvent]:
        page = await self.database.documents(LoggedEvent).list(order="position", limit=1000)
        return list(page.items)

    async def versions(self) -> list[Version]:
        return list((await self.database.documents(Version).list(order="number")).items)


Prepare = Callable[[Handler], Bench]
"""What makes a bench with a handler: a fixture."""
TAGGED = SampleParameters(dataset="few", tag="best", source="many", count=1)


async def claimed(bench: Bench, **changes: object) -> Task:
    task = await bench.runner.claim((await bench.accept(**changes)).id)
    assert task is not None
    return task


def raises(error: Exception) -> Callable[[], Awaitable[None]]:
    async def happens() -> None:
        raise error

    return happens


async def nothing(work: Work[SampleParameters]) -> Outcome:
    return Outcome(result=TaskResult(summary={"task": work.task.id}))


async def a_version(work: Work[SampleParameters]) -> Outcome:
    return Outcome(records=(a_draft(work.parameters),))


def a_draft(parameters: MakesVersion) -> VersionDraft:
    manifest = BlobRef(digest=digest_of(b"content"), size=7)
    return VersionDraft(dataset=parameters.dataset, tag=parameters.tag, digest=manifest.digest, manifest=manifest)


def raising(*errors: Exception) -> Handler:
    left = list(errors)

    async def handler(work: Work[SampleParameters]) -> Outcome:
        if left:
            raise left.pop(0)
        return await nothing(work)

    return handler


def waiting(started: asyncio.Event, until: Awaitable[Any] | None = None) -> Handler:
    async def handler(work: Work[SampleParameters]) -> Outcome:
        started.set()
        await (until or asyncio.Event().wait())
        return await nothing(work)

    return handler
