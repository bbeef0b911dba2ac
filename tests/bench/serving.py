"""``ymir serve`` as a process, asked over loopback by this one."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from client.api import Client
from schemas.algebra_parameters import SampleParameters
from schemas.events import EventType, LoggedEvent
from schemas.exchange_parameters import ImportParameters
from schemas.pages import Page
from schemas.projects import Project, ProjectSubmission
from schemas.task_states import TaskState
from schemas.tasks import Task
from tests.bench import pictures
from tests.bench.measuring import family, peak_mb, processor_seconds
from tests.bench.row import Measured, Size
from tests.e2e.service import Service

RATE: Final = 200.0
IN_FLIGHT: Final = 32
IDLE_SECONDS: Final = 10.0
RUNS: Final = 3
WAIT_SECONDS: Final = 120.0
PROJECT: Final = "bench"


async def ready(folder: Path, _: Size) -> Measured:
    """Start the service on an empty folder until it says that it is ready."""
    runs, peak = [], 0.0
    for _run in range(RUNS):
        with TemporaryDirectory(dir=folder) as scratch:
            service = Service(Path(scratch) / "data", import_root=folder)
            start = time.perf_counter()
            await service.start()
            runs.append(time.perf_counter() - start)
            peak = max(peak, peak_mb(pid=pid_of(service)))
            await service.stop()
    return Measured(runs=runs, peak_mb=peak)


async def posts(folder: Path, size: Size) -> Measured:
    """Post tasks at a steady rate, whether or not earlier ones were answered, while the service runs them."""
    async with _service(folder) as (service, client):
        late: list[float] = []
        start = time.perf_counter() + 0.1

        async def post(number: int) -> None:
            due = start + number / RATE
            await asyncio.sleep(max(due - time.perf_counter(), 0.0))
            await client.submit(PROJECT, _smallest(number))
            late.append(1_000 * (time.perf_counter() - due))

        async with asyncio.TaskGroup() as group:
            for number in range(size.posts):
                group.create_task(post(number))
        peak = peak_mb(pid=pid_of(service))
    half, most, worst = (float(value) for value in np.percentile(late, [50, 99, 100]))
    told = f"p50 {half:.1f} ms, worst {worst:.0f} ms; the service ran the tasks meanwhile, in the same process"
    return Measured(runs=[most], peak_mb=peak, told=told)


async def tasks(folder: Path, size: Size) -> Measured:
    """Post tasks, some at a time, and wait until the event of the last one's success is in the log."""
    async with _service(folder) as (service, client):
        after = await _position(client)
        slots = asyncio.Semaphore(IN_FLIGHT)

        async def post(number: int) -> None:
            async with slots:
                await client.submit(PROJECT, _smallest(number))

        busy, start = processor_seconds(pid_of(service)), time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(size.tasks):
                group.create_task(post(number))
        accepted = time.perf_counter() - start
        await _ended(client, size.tasks, after=after)
        seconds = time.perf_counter() - start
        busy = 1_000 * (processor_seconds(pid_of(service)) - busy) / size.tasks
        peak = peak_mb(pid=pid_of(service))
    told = f"all accepted after {accepted:.2f} s; {busy:.1f} core-ms a task; embedded profile, every state on the disk"
    return Measured(runs=[size.tasks / seconds], peak_mb=peak, told=told)


async def idle(folder: Path, _: Size) -> Measured:
    """Look at the processor time of a service that has nothing to do."""
    async with _service(folder) as (service, _client):
        await asyncio.sleep(1.0)
        before = processor_seconds(pid_of(service))
        await asyncio.sleep(IDLE_SECONDS)
        used = processor_seconds(pid_of(service)) - before
        processes = len(list(family(pid_of(service))))
        told = f"of one core, over {IDLE_SECONDS:.0f} s, {processes} processes"
        return Measured(runs=[100 * used / IDLE_SECONDS], peak_mb=peak_mb(pid=pid_of(service)), told=told)


async def again(folder: Path, size: Size) -> Measured:
    """Kill the service while an import runs; count from the kill until the task runs again."""
    runs, peak = [], 0.0
    with TemporaryDirectory(dir=folder) as scratch:
        root = Path(scratch) / "pictures"
        await pictures.small_voc(root, size)
        for number in range(RUNS):
            service = Service(Path(scratch) / f"data{number}", import_root=Path(scratch))
            await service.start()
            async with service.client(patience_seconds=WAIT_SECONDS) as client:
                await client.post(Project, "/v1/projects", ProjectSubmission(name=PROJECT))
                task = await client.submit(PROJECT, _import_of(root))
                claimed = await running(client, task, since=0)
                start = time.perf_counter()
                await service.kill()
                await service.start()
                await running(client, task, since=claimed.epoch)
                runs.append(time.perf_counter() - start)
                peak = max(peak, peak_mb(pid=pid_of(service)))
            await service.kill()
    return Measured(runs=runs, peak_mb=peak, told="the start of the new process is in it")


async def running(client: Client, task: Task, *, since: int) -> Task:
    """Wait until a task runs in a later epoch, or has ended in one."""
    async with asyncio.timeout(WAIT_SECONDS):
        while task.epoch <= since or task.state is TaskState.QUEUED:
            await asyncio.sleep(0.02)
            task = await client.get(Task, f"/v1/tasks/{task.id}")
    return task


def pid_of(service: Service) -> int:
    """Return the id of the service's process."""
    process = service._process
    if process is None:
        message = "the service does not run"
        raise RuntimeError(message)
    return process.pid


@asynccontextmanager
async def _service(folder: Path) -> AsyncIterator[tuple[Service, Client]]:
    """Run a service with a project and a small version."""
    with TemporaryDirectory(dir=folder) as scratch:
        root = Path(scratch) / "pictures"
        await pictures.small_voc(root, _few())
        service = Service(Path(scratch) / "data", import_root=Path(scratch))
        await service.start()
        try:
            async with service.client() as client:
                await client.post(Project, "/v1/projects", ProjectSubmission(name=PROJECT))
                await client.ended(await client.submit(PROJECT, _import_of(root)))
                await client.ended(await client.submit(PROJECT, _smallest(0)))
                yield service, client
        finally:
            await service.stop()


def _few() -> Size:
    return Size(images=0, small=20, photographs=0, coco=0, tasks=0, posts=0, accepted=0)


def _import_of(root: Path) -> ImportParameters:
    return ImportParameters.model_validate(
        {"dataset": "pictures", "source": {"path": str(root)}, "unknown_classes": "add"}
    )


def _smallest(number: int) -> SampleParameters:
    """Return a task that does next to nothing; many of them share no line of versions, as real ones do not."""
    return SampleParameters(dataset=f"few-{number % 100}", source="pictures", count=1, seed=number)


async def _position(client: Client) -> int:
    found = [logged.position async for logged in client.items(LoggedEvent, "/v1/events")]
    return found[-1]


async def _ended(client: Client, count: int, *, after: int) -> None:
    """Wait for so many events of success."""
    seen = 0
    async with asyncio.timeout(WAIT_SECONDS):
        while seen < count:
            page = await client.get(
                Page[LoggedEvent], "/v1/events", after=after, type=EventType.TASK_SUCCEEDED, limit=1_000
            )
            seen += len(page.items)
            after = page.items[-1].position if page.items else after
            await asyncio.sleep(0.05)
