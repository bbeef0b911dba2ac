"""Tasks that ask for GPUs, on workers that share a machine's: they wait, run, and get what they asked for."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import Conflict
from schemas.events import LoggedEvent
from schemas.hosts import GpuLease, Host
from schemas.model_parameters import TrainParameters
from schemas.parameters import Slot
from schemas.task_states import FINAL, TaskState
from schemas.tasks import Input, Task
from storage.announcing import Announcer
from storage.clock import utc_now
from storage.event_log import EventLog
from storage.local_bus import LocalBus
from tests.factories import a_task
from tests.workers.gpu_machine import GIB, Machine
from tests.workers.loop_world import CAT, World, a_world, trains
from workers.consumer import Consumer
from workers.executors.gpu_host import GpuHost
from workers.executors.gpu_keeping import GpuKeeping
from workers.handlers.train import train
from workers.runner import Runner
from workers.settings import WorkerSettings

SECONDS = 20.0
# A run says what it was given, and lasts until somebody makes a file.
TRAINS = trains(
    "print(os.environ['CUDA_VISIBLE_DEVICES'], '/', config['gpu_id'], '/', config['gpu_count'], flush=True)\n"
    "while not pathlib.Path(config['until']).exists():\n    time.sleep(0.01)\n"
)


class Workers:
    """Workers of one machine, on one store."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.bus = LocalBus()
        self.tasks = world.database.documents(Task)
        self.settings = WorkerSettings(
            work=folder / "work", progress_seconds=0.02, sweep_seconds=0.2, grace_seconds=2.0, slots={Slot.GPU: 4}
        )

    @asynccontextmanager
    async def working(self, name: str = "one", **changes: Any) -> AsyncIterator[None]:  # noqa: ANN401 - of any option
        database, bus = self.world.database, self.bus
        gpus = GpuHost(database=database, bus=bus, clock=utc_now, **{"name": "host", **changes})
        runner = Runner(
            name=name,
            handlers={"train": partial(train, **self.world.tools())},
            database=database,
            bus=bus,
            announcer=Announcer(self.tasks, EventLog(database, source="test"), bus),
            clock=utc_now,
            settings=self.settings,
            gpus=gpus,
        )
        keeping = GpuKeeping(gpus, pause_seconds=self.settings.sweep_seconds, gone_seconds=1.0)
        jobs = [
            asyncio.create_task(Consumer(bus=bus, runner=runner, settings=self.settings).run()),
            asyncio.create_task(keeping.run()),
        ]
        try:
            yield
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.wait(jobs)

    async def accept(self, until: Path, **changes: object) -> Task:
        """Keep a task that trains until there is a file, and ring for it."""
        version = await self.world.version(await self.world.pictures([[CAT], [CAT]]))
        others = await self.world.version(await self.world.pictures([[CAT]], seed=1))
        fields = {
            "executor": "fake",
            "training": [{"ref": "pictures"}],
            "validation": ["others"],
            "model": "animals",
            "classes": ["cat"],
            "config": {"until": str(until)},
            "gpus": 1,
        }
        inputs = (
            Input(pointer="/training/0/ref", ref="any", version=version),
            Input(pointer="/validation/0", ref="any", version=others),
        )
        parameters = TrainParameters.model_validate({**fields, **changes})
        task: Task = a_task(parameters=parameters, inputs=inputs, created_at=utc_now())
        await self.tasks.add(task)
        await self.bus.ring(task.doorbell())
        return task

    async def until(self, task: Task, *, state: TaskState | None = None, waiting_for: str = "") -> Task:
        """Return a task as soon as it is in a state, by default a final one, and waits for what it should."""
        async with asyncio.timeout(SECONDS):
            while True:
                now = await self.tasks.get(task.id)
                if (now.state in FINAL if state is None else now.state is state) and now.waiting_for == waiting_for:
                    return now
                await asyncio.sleep(0.002)

    async def log_of(self, task: Task) -> list[str]:
        ended = await self.tasks.get(task.id)
        assert ended.log is not None, ended.problem
        return (await self.world.blobs.get(ended.log.digest)).decode().splitlines()

    async def given(self, task: Task) -> None:
        """Wait until a task has its GPU."""
        async with asyncio.timeout(SECONDS):
            while True:
                if task.id in [lease.task for lease in await self.leases()]:
                    return
                await asyncio.sleep(0.002)

    async def leases(self) -> list[GpuLease]:
        hosts = (await self.world.database.documents(Host).list()).items
        return [lease for host in hosts for lease in host.leases]

    async def cancel(self, task: Task) -> None:
        """Ask the owner of a running task to stop, as the gateway does."""
        while True:
            current = await self.tasks.get(task.id)
            with suppress(Conflict):
                await self.tasks.replace(current.successor(cancel_requested=True), was=current)
                return


@pytest.fixture
async def workers(tmp_path: Path, machine: Machine) -> AsyncIterator[Workers]:
    async with a_world(tmp_path) as world:
        await world.executor(TRAINS)
        machine.has(16)
        yield Workers(world, tmp_path)


async def test_a_task_waits_for_a_gpu_and_runs_as_soon_as_it_is_given_back(workers: Workers, tmp_path: Path) -> None:
    first_ends, second_ends = tmp_path / "first", tmp_path / "second"
    second_ends.touch()
    async with workers.working():
        first = await workers.accept(first_ends)
        await workers.given(first)
        second = await workers.accept(second_ends)

        waits = await workers.until(second, state=TaskState.QUEUED, waiting_for="1 GPU that is free")
        first_ends.touch()
        assert (await workers.until(first)).state is TaskState.SUCCEEDED
        ended_at = time.monotonic()
        ended = await workers.until(second)
        took = time.monotonic() - ended_at

    assert (waits.tries, waits.outlived, waits.owner) == (0, 0, None)
    assert ended.state is TaskState.SUCCEEDED
    for task in (first, second):
        assert (await workers.log_of(task))[-1] == "GPU-0 / 0 / 1"
    assert not await workers.leases()
    events = (await workers.world.database.documents(LoggedEvent).list(order="position", limit=100)).items
    told = [event.event.data.get("waiting_for") for event in events if event.event.subject == second.id]
    assert "1 GPU that is free" in told
    assert took < SECONDS / 4


async def test_those_who_share_a_gpu_run_at_once_and_one_who_needs_it_alone_comes_before_the_younger(
    workers: Workers, tmp_path: Path
) -> None:
    ends = [tmp_path / name for name in ("0", "1", "2", "3")]
    async with workers.working("one"), workers.working("two"):
        sharing = [await workers.accept(end, gpu_memory_bytes=6 * GIB) for end in ends[:2]]
        for task in sharing:
            await workers.given(task)
        alone = await workers.accept(ends[2])
        await workers.until(alone, state=TaskState.QUEUED, waiting_for="1 GPU that is free")
        younger = await workers.accept(ends[3], gpu_memory_bytes=1 * GIB)
        await workers.until(younger, state=TaskState.QUEUED, waiting_for="1 GPU with 1 GiB free")
        assert [lease.gpu for lease in await workers.leases()] == ["GPU-0", "GPU-0"]

        ends[0].touch()
        ends[1].touch()
        await workers.given(alone)
        await workers.until(younger, state=TaskState.QUEUED, waiting_for="1 GPU with 1 GiB free")
        ends[2].touch()
        ends[3].touch()
        ended = [await workers.until(task) for task in (*sharing, alone, younger)]

    assert [task.state for task in ended] == [TaskState.SUCCEEDED] * 4


async def test_what_can_never_be_run_fails_at_once_however_long_the_line_for_gpus(
    workers: Workers, tmp_path: Path
) -> None:
    async with workers.working():
        await workers.given(await workers.accept(tmp_path / "first"))

        failed = await workers.until(await workers.accept(tmp_path / "first", classes=["unicorn"]))

    assert failed.problem is not None
    assert failed.problem.status == 422


async def test_a_cancelled_task_and_one_that_is_handed_over_give_back_what_they_had(
    workers: Workers, tmp_path: Path
) -> None:
    async with workers.working():
        first = await workers.accept(tmp_path / "never")
        await workers.given(first)
        waits = await workers.accept(tmp_path / "never")
        await workers.until(waits, state=TaskState.QUEUED, waiting_for="1 GPU that is free")
        await workers.cancel(first)
        assert (await workers.until(first)).state is TaskState.CANCELLED
        await workers.given(waits)
        assert len(await workers.leases()) == 1

    handed_over = await workers.tasks.get(waits.id)
    assert (handed_over.state, handed_over.tries) == (TaskState.QUEUED, 0)
    assert not await workers.leases()


async def test_a_task_without_gpus_sees_none_and_leases_none(workers: Workers, tmp_path: Path) -> None:
    (tmp_path / "now").touch()
    workers.settings = workers.settings.model_copy(update={"slots": {Slot.EXECUTOR: 1}})
    async with workers.working():
        ended = await workers.until(await workers.accept(tmp_path / "now", gpus=0))

    assert (await workers.log_of(ended))[-1] == " /  / 0"
