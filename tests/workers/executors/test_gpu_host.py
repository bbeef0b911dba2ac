"""The GPUs of one machine, shared by several processes, on every database; NVIDIA's library has a stand-in."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from schemas.errors import Invalid, Unavailable
from schemas.hosts import Host
from schemas.tasks import Task
from storage.clock import utc_now
from storage.local_bus import LocalBus
from storage.ports import Database
from tests.factories import NOON
from tests.servers.mongod import another_database, drop_database
from tests.workers.executors import gpu_racer
from tests.workers.executors.gpu_racer import opened
from tests.workers.gpu_machine import FAKE, GIB, Machine
from tests.workers.life_bench import Clockwork
from workers.executors.gpu_host import GpuHost
from workers.executors.gpu_keeping import GpuKeeping
from workers.executors.gpus import Nvml
from workers.work import Busy

ROOT = Path(__file__).parents[3]
PROCESSES, TIMES = 4, 50
# What a process says are times within its lease.
SECONDS = 60.0
GONE_SECONDS = 10.0
SECOND = count()


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=pytest.mark.slow)])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield str(tmp_path / "documents.sqlite")
        return
    url = another_database(request.getfixturevalue("mongo_url"))
    yield url
    await asyncio.to_thread(drop_database, url)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with opened(url) as database:
        yield database


def a_host(database: Database, *, bus: LocalBus | None = None, name: str = "host", is_alone: bool = False) -> GpuHost:
    return GpuHost(database=database, bus=bus or LocalBus(), clock=utc_now, name=name, is_alone=is_alone)


def asking(gpus: int, memory: int | None = None, **changes: object) -> Task:
    """Return a task that asks for GPUs, younger than those before it."""
    return gpu_racer.asking(gpus, memory, created_at=NOON + timedelta(seconds=next(SECOND)), **changes)


async def a_process(*arguments: object) -> Process:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(FAKE), str(ROOT)])}
    command = [sys.executable, "-m", "tests.workers.executors.gpu_racer", *map(str, arguments)]
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=PIPE)


async def queued(database: Database, *tasks: Task) -> None:
    for task in tasks:
        await database.documents(Task).add(task)


async def leases(database: Database) -> Sequence[tuple[str, str]]:
    hosts = (await database.documents(Host).list()).items
    return [(lease.task, lease.gpu) for host in hosts for lease in host.leases]


@pytest.mark.timeout(120)
async def test_four_processes_never_have_the_same_gpu_nor_more_memory_than_it_has(url: str, machine: Machine) -> None:
    machine.has(16, 16, 16)
    async with opened(url):
        processes = [await a_process(url, TIMES) for _ in range(PROCESSES)]
        said = await asyncio.wait_for(asyncio.gather(*(one.communicate() for one in processes)), SECONDS)

    assert [process.returncode for process in processes] == [0] * PROCESSES
    held = [line.split() for out, _ in said for line in out.decode().splitlines()]
    times = [
        (gpu, moment, 1 if moment == since else -1, int(memory) or 16 * GIB)
        for gpu, memory, since, until in held
        for moment in (since, until)
    ]
    assert len(held) >= PROCESSES * TIMES
    used: dict[str, int] = {}
    for gpu, _, sign, memory in sorted(times, key=lambda one: float(one[1])):
        used[gpu] = used.get(gpu, 0) + sign * memory
        assert used[gpu] <= 16 * GIB
    assert set(used) == {"GPU-0", "GPU-1", "GPU-2"}


@pytest.mark.timeout(120)
async def test_what_a_killed_process_had_is_taken_back_when_its_task_is_another_s(
    url: str, database: Database, machine: Machine
) -> None:
    machine.has(16)
    process = await a_process(url, "hold")
    assert process.stdout is not None
    held = (await asyncio.wait_for(process.stdout.readline(), SECONDS)).decode().strip()
    process.kill()
    await process.wait()
    clock, host = Clockwork(), a_host(database)
    keeping = GpuKeeping(host, pause_seconds=1.0, gone_seconds=GONE_SECONDS, monotonic=clock)

    await keeping.keep()
    clock.seconds += 2 * GONE_SECONDS
    await keeping.keep()
    assert await leases(database) == [(held, "GPU-0")], "as far as anybody knows its owner lives"
    with pytest.raises(Busy):
        await host.take(asking(1))

    was = await host.tasks.get(held)
    await host.tasks.replace(was.orphaned(at=utc_now()), was=was)
    await keeping.keep()
    assert await leases(database), "its owner may not know yet"
    clock.seconds += GONE_SECONDS
    await keeping.keep()
    assert not await leases(database)


async def test_gpus_are_not_taken_back_while_something_of_the_attempt_is_left(
    database: Database, machine: Machine
) -> None:
    machine.has(16)
    left, engines = {"container"}, [Unavailable("The engine does not answer.")]

    async def is_gone(_: str, epoch: int) -> bool:
        if engines:
            raise engines.pop()
        return epoch != 1 or not left

    host = a_host(database)
    await host.take(asking(1))
    keeping = GpuKeeping(host, pause_seconds=1.0, is_gone=[is_gone], gone_seconds=0.0)

    for _ in range(2):
        await keeping.keep()
    assert len(await leases(database)) == 1
    left.clear()
    await keeping.keep()
    assert not await leases(database)


async def test_a_lease_that_was_given_is_given_again_to_the_same_attempt(database: Database, machine: Machine) -> None:
    machine.has(16, 16)
    host, task = a_host(database), asking(1)

    first, again = await host.take(task), await host.take(task)

    assert first == again == ("GPU-0",)
    assert len(await leases(database)) == 1


async def test_a_younger_task_takes_nothing_that_an_older_one_in_the_queue_waits_for(
    database: Database, machine: Machine
) -> None:
    machine.has(16, 16, 16)
    host, running, small = a_host(database), asking(2), asking(1)
    await host.take(running)
    large, last = asking(3), asking(1)
    await queued(database, large)

    assert await host.take(small) == ("GPU-2",), "it is older"
    await host.release(small)
    with pytest.raises(Busy, match="1 GPU that is free"):
        await host.take(last)
    await host.release(running)
    assert len(await host.take(large)) == 3


async def test_those_who_get_what_was_given_back_are_rung_for_and_no_others(
    database: Database, machine: Machine
) -> None:
    machine.has(16, 16)
    bus = LocalBus()
    host, running = a_host(database, bus=bus), asking(2)
    await host.take(running)
    tasks = [asking(1), asking(8), asking(1), asking(1)]
    await queued(database, *tasks)

    await host.release(running)

    async with asyncio.timeout(5), bus.doorbells(tasks[0].slot) as doorbells:
        rung = [(await anext(doorbells)).doorbell.task for _ in range(await bus.waiting(tasks[0].slot))]
    assert rung == [tasks[0].id, tasks[2].id]


async def test_a_task_that_was_found_to_wait_is_claimed_only_where_there_is_what_it_waits_for(
    database: Database, machine: Machine
) -> None:
    machine.has(16)
    host, running = a_host(database), asking(1)
    await host.take(running)
    new, waits = asking(1), asking(1, waiting_for="1 GPU that is free")

    assert await host.may_run(new), "whether it can ever be run is found out at once"
    assert not await host.may_run(waits)
    assert await a_host(database, name="another").may_run(waits) is False, "it has no GPUs that are known"
    await host.release(running)
    assert await host.may_run(waits)


async def test_a_machine_that_is_too_small_leaves_the_task_to_others_and_says_what_there_is(
    database: Database, machine: Machine
) -> None:
    machine.has(16, 16)
    host = a_host(database)
    await GpuKeeping(host, pause_seconds=1.0, gone_seconds=GONE_SECONDS).keep()

    with pytest.raises(Busy, match=r"^4 GPUs; no machine has more than 2$"):
        await host.take(asking(4))
    machine.has(16, 16, 16, 16)
    with pytest.raises(Busy, match=r"^1 GPU with 20 GiB free; no machine has one of that size$"):
        await host.take(asking(1, 20))
    with pytest.raises(Invalid, match=r"^The task asks for 5 GPUs; no machine has more than 4\.$"):
        await a_host(database, is_alone=True, name="alone").take(asking(5))


async def test_a_machine_without_a_driver_has_no_gpus_and_asks_no_more(database: Database, machine: Machine) -> None:
    host = a_host(database)

    with pytest.raises(Busy, match="no worker's machine has any"):
        await host.take(asking(1))
    machine.has(16)  # what is told once holds until the process ends
    await GpuKeeping(host, pause_seconds=1.0, gone_seconds=GONE_SECONDS).keep()

    assert not (await database.documents(Host).list()).items


async def test_the_only_worker_goes_by_what_the_machine_has_now(database: Database, machine: Machine) -> None:
    machine.has(16, 16)
    await GpuKeeping(a_host(database, is_alone=True), pause_seconds=1.0, gone_seconds=0.0).keep()
    machine.file.unlink()
    host, task = a_host(database, is_alone=True), asking(1, waiting_for="1 GPU that is free")

    assert await host.may_run(task)
    with pytest.raises(Invalid, match="no worker's machine has any"):
        await host.take(task)


async def test_parts_of_a_gpu_are_given_in_its_place_and_one_that_is_lost_is_left_out(machine: Machine) -> None:
    machine.file.write_text(
        json.dumps(
            [
                {
                    "uuid": "GPU-a",
                    "total": 80,
                    "parts": [{"uuid": "MIG-1", "total": 40}, {"uuid": "MIG-2", "total": 40}],
                },
                {"uuid": "GPU-b", "total": 80, "lost": True},
                {"uuid": "GPU-c", "total": 80, "free": 8},
            ]
        )
    )

    gpus = await Nvml().gpus()

    assert [(gpu.uuid, gpu.number, gpu.total_bytes, gpu.free_bytes) for gpu in gpus] == [
        ("MIG-1", 0, 40, 40),
        ("MIG-2", 0, 40, 40),
        ("GPU-c", 2, 80, 8),
    ]


async def test_gpus_that_come_are_told_of_with_the_machine(database: Database, machine: Machine) -> None:
    machine.has(16)
    host = a_host(database)
    await GpuKeeping(host, pause_seconds=1.0, gone_seconds=GONE_SECONDS).keep()
    machine.has(16, 24)

    await GpuKeeping(host, pause_seconds=1.0, gone_seconds=GONE_SECONDS).keep()

    (kept,) = (await database.documents(Host).list()).items
    assert [(gpu.uuid, gpu.memory_bytes // GIB) for gpu in kept.gpus] == [("GPU-0", 16), ("GPU-1", 24)]
