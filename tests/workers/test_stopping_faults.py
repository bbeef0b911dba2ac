"""A worker that is told to stop in the very moment that matters."""

import asyncio

import pytest

from schemas.algebra_parameters import SampleParameters
from schemas.errors import Unavailable
from schemas.outcomes import Outcome
from schemas.task_states import TaskState
from schemas.tasks import Task
from tests.happenings import Before
from tests.workers.life_bench import (
    SECONDS,
    Prepare,
    a_version,
    nothing,
    waiting,
)
from workers.work import Work


async def test_a_worker_that_is_told_to_stop_finishes_what_is_being_concluded(prepare: Prepare, before: Before) -> None:
    bench = prepare(a_version)
    task = await bench.accept()
    telling, release = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        telling.set()
        await release.wait()

    before(bench.announcer, "announce", hold)
    serving = bench.working()
    await serving.__aenter__()
    await bench.bus.ring(task.doorbell())
    await asyncio.wait_for(telling.wait(), SECONDS)
    leaving = asyncio.ensure_future(serving.__aexit__(None, None, None))
    await asyncio.sleep(0)
    release.set()
    await asyncio.wait_for(leaving, SECONDS)

    ended = await bench.tasks.get(task.id)
    assert (ended.state, ended.facts) == (TaskState.SUCCEEDED, ())


async def test_a_task_that_is_being_claimed_when_its_worker_is_told_to_stop_is_handed_over(
    prepare: Prepare, before: Before
) -> None:
    bench = prepare(waiting(asyncio.Event()))
    task = await bench.accept()
    claiming, release = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        claiming.set()
        await release.wait()

    before(bench.runner, "claim", hold)
    serving = bench.working()
    await serving.__aenter__()
    await bench.bus.ring(task.doorbell())
    await asyncio.wait_for(claiming.wait(), SECONDS)
    leaving = asyncio.ensure_future(serving.__aexit__(None, None, None))
    await asyncio.sleep(0)
    release.set()
    await asyncio.wait_for(leaving, SECONDS)

    handed = await bench.tasks.get(task.id)
    assert (handed.state, handed.epoch, handed.outlived) == (TaskState.QUEUED, 2, 0)


async def test_a_worker_ends_within_its_grace_while_the_store_is_away_and_while_a_handler_will_not_stop(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def stubborn(work: Work[SampleParameters]) -> Outcome:
        started.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return await nothing(work)

    bench = prepare(stubborn)
    task = await bench.accept()

    async def away(document: Task, *, was: Task) -> None:
        raise Unavailable(f"The store is away: {document.id} {was.id}")

    async with asyncio.timeout(SECONDS):
        async with bench.working():
            await bench.bus.ring(task.doorbell())
            await started.wait()
            monkeypatch.setattr(bench.tasks, "replace", away)
        release.set()

    assert (await bench.tasks.get(task.id)).state is TaskState.RUNNING
