"""The reaper: what outlived its attempt goes, and nothing else does."""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from schemas.schema import derived_id
from schemas.tasks import Task
from storage.ports import Documents
from storage.sqlite import open_database
from tests.factories import NOON, a_task
from tests.faults.sizes import IS_FULL
from tests.workers.executors.container_bench import Bench, comes
from workers.executors.docker import DockerRuntime
from workers.executors.reaper import Reaper

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CANCELS = 100 if IS_FULL else 10
CANCEL_SECONDS = 8.0
HANGS = "trap '' TERM\ntouch /out/began\nwhile true; do sleep 1000; done\n"


@pytest.fixture
async def tasks(tmp_path: Path) -> AsyncIterator[Documents[Task]]:
    async with open_database(tmp_path / "ymir.db") as database:
        yield database.documents(Task)


async def hanging(bench: Bench) -> asyncio.Task[object]:
    order = bench.order(HANGS)
    run: asyncio.Task[object] = asyncio.create_task(bench.runtime.run(order, progress=lambda _: None))
    await comes(order.folder.made / "began")
    return run


async def test_a_current_attempt_stays_and_goes_as_soon_as_it_is_another(bench: Bench, tasks: Documents[Task]) -> None:
    claimed = a_task(id=bench.task).claimed(by="worker", at=NOON)
    await tasks.add(claimed)
    reaper = Reaper(bench.engine, deployment=bench.deployment, tasks=tasks, seconds=1)
    another = DockerRuntime(bench.engine, deployment=bench.deployment)
    assert await another.is_gone(bench.task, 1)
    run = await hanging(bench)

    assert await reaper.reap() == 0
    assert not await another.is_gone(bench.task, 1)
    assert await another.is_gone(bench.task, 2)

    await tasks.replace(claimed.orphaned(at=NOON), was=claimed)
    assert await reaper.reap() == 1
    assert await bench.containers() == []
    assert await another.is_gone(bench.task, 1)
    await asyncio.gather(run, return_exceptions=True)


async def test_a_container_of_another_deployment_is_none_of_ours(bench: Bench, tasks: Documents[Task]) -> None:
    run = await hanging(bench)

    reaped = await Reaper(bench.engine, deployment=derived_id("other"), tasks=tasks, seconds=1).reap()

    assert reaped == 0
    assert len(await bench.containers()) == 1
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


async def test_a_container_outlives_a_worker_that_is_killed_only_until_somebody_looks(
    bench: Bench, tasks: Documents[Task], docker_settings: Mapping[str, str]
) -> None:
    order = bench.order(HANGS)
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from schemas.executors import Executor\n"
        "from workers.executors.docker import DockerRuntime\n"
        "from workers.executors.engine import Engine\n"
        "from workers.executors.layout import RunFolder\n"
        "from workers.executors.runtime import Order\n"
        f"executor = Executor.model_validate_json({order.executor.model_dump_json()!r})\n"
        f"order = Order(executor, RunFolder(Path({str(order.folder.root)!r})), {order.task!r}, 1)\n"
        f"runtime = DockerRuntime(Engine(), deployment={bench.deployment!r})\n"
        "asyncio.run(runtime.run(order, progress=print))\n"
    )
    engine = {**os.environ, **docker_settings}
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", program, env=engine)
    await comes(order.folder.made / "began")

    worker.send_signal(signal.SIGKILL)
    await worker.wait()

    assert len(await bench.containers()) == 1
    assert await Reaper(bench.engine, deployment=bench.deployment, tasks=tasks, seconds=1).reap() == 1


async def test_runs_that_are_cancelled_at_any_moment_leave_nothing(bench: Bench) -> None:
    moments = random.Random(0)

    for number in range(CANCELS):
        run = asyncio.create_task(bench.runtime.run(bench.order(HANGS, epoch=number), progress=lambda _: None))
        await asyncio.sleep(moments.uniform(0.0, 0.8))
        asked_at = time.monotonic()
        run.cancel()
        await asyncio.wait({run})

        assert run.cancelled()
        assert time.monotonic() - asked_at < CANCEL_SECONDS
        assert await bench.containers() == []
