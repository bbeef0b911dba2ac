"""Telling of a task, and its beats, while whoever is told hangs or fails."""

import asyncio
from typing import Any

from schemas.algebra_parameters import SampleParameters
from schemas.events import EventType
from schemas.outcomes import Outcome
from schemas.task_states import TaskState
from schemas.tasks import Task
from storage.local_bus import LocalBus
from tests.happenings import Before
from tests.workers.life_bench import (
    SECONDS,
    Prepare,
    claimed,
    nothing,
    waiting,
)
from workers.work import Work


class HungBus(LocalBus):
    """A bus that takes doorbells and never answers anything else."""

    async def publish(self, events: Any) -> None:  # noqa: ANN401 - it does not look at them
        del events
        await asyncio.Event().wait()


async def test_a_bus_that_hangs_neither_stops_the_beats_nor_keeps_the_slot(prepare: Prepare) -> None:
    beaten, release = asyncio.Event(), asyncio.Event()

    async def handler(work: Work[SampleParameters]) -> Outcome:
        await release.wait()
        return await nothing(work)

    bench = prepare(handler)
    bench.announcer._bus = HungBus()
    task = await bench.accept()
    replace = bench.tasks.replace

    async def watched(document: Task, *, was: Task) -> None:
        await replace(document, was=was)
        if document.beat >= 2:
            beaten.set()

    bench.tasks.replace = watched  # type: ignore[method-assign]  # the bench ends with the test
    running = asyncio.create_task(bench.run(task))

    async with asyncio.timeout(SECONDS):
        await beaten.wait()
        release.set()
        assert (await running).state is TaskState.SUCCEEDED


async def test_a_task_does_not_grow_while_nobody_can_be_told_of_its_progress(prepare: Prepare) -> None:
    bench = prepare(nothing)
    task = await claimed(bench)

    for step in range(1, 50):
        task = task.beaten(progress=task.progress.model_copy(update={"fraction": step / 100}), at=task.updated_at)

    assert [fact.type for fact in task.facts] == [
        EventType.TASK_QUEUED,
        EventType.TASK_STARTED,
        EventType.TASK_PROGRESSED,
    ]
    assert task.facts[-1].data["fraction"] == 0.49


async def test_what_the_owner_of_a_running_task_tells_is_not_told_by_the_sweep_too(prepare: Prepare) -> None:
    started, release = asyncio.Event(), asyncio.Event()
    bench = prepare(waiting(started, release.wait()))
    bench.settings = bench.sweep._settings = bench.settings.model_copy(update={"beat_seconds": 60.0})
    bench.runner._settings = bench.settings
    told: list[str] = []

    async with bench.bus.events() as events:

        async def listen() -> None:
            async for event in events:
                told.append(event.type)  # noqa: PERF401 - it is looked at while more come

        listening = asyncio.create_task(listen())
        running = asyncio.create_task(bench.run(await bench.accept()))
        await started.wait()
        await bench.watch(10)
        release.set()
        await asyncio.wait_for(running, SECONDS)
        await until_told(told, EventType.TASK_SUCCEEDED)
        listening.cancel()
        await asyncio.wait({listening})

    assert told == [EventType.TASK_QUEUED, EventType.TASK_STARTED, EventType.TASK_SUCCEEDED]


async def until_told(told: list[str], last: EventType) -> None:
    """Let the other coroutines run until an event has arrived."""
    for _ in range(1000):
        if last in told:
            return
        await asyncio.sleep(0)


async def test_a_beat_that_fails_by_a_fault_is_not_the_last(prepare: Prepare, before: Before) -> None:
    started = asyncio.Event()
    bench = prepare(waiting(started))
    task = await claimed(bench)
    running = asyncio.create_task(bench.runner.run(task))
    await started.wait()
    failed = asyncio.Event()

    async def fail() -> None:
        failed.set()
        raise KeyError("a fault")

    before(bench.tasks, "replace", fail)
    await asyncio.wait_for(failed.wait(), SECONDS)

    await bench.ask_to_cancel(task)

    await asyncio.wait_for(running, SECONDS)
    assert (await bench.tasks.get(task.id)).state is TaskState.CANCELLED
