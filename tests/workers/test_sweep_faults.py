"""The sweep when stores are away, and tasks that cannot be looked after."""

import asyncio

from schemas.algebra_parameters import SampleParameters
from schemas.outcomes import Outcome, Pause
from schemas.parameters import Slot
from schemas.task_states import TaskState
from schemas.tasks import Doorbell, Task
from tests.happenings import Before
from tests.workers.life_bench import (
    SECONDS,
    TAGGED,
    Prepare,
    a_draft,
    claimed,
    nothing,
    raises,
)
from workers.work import Work


async def test_an_outage_of_the_store_restarts_nothing(prepare: Prepare) -> None:
    bench = prepare(nothing)
    task = await claimed(bench)
    await bench.watch(bench.settings.beat_seconds)

    bench.monotonic.seconds += 3600  # in which no sweep could read, and no owner write
    await bench.sweep.sweep()

    assert (await bench.tasks.get(task.id)).state is TaskState.RUNNING


async def test_a_task_that_cannot_be_looked_after_does_not_keep_others_waiting(prepare: Prepare) -> None:
    async def pausing(work: Work[SampleParameters]) -> Pause:
        return Pause(step="again", waiting_for="an answer", until=work.now() if work.task.created_by == "b" else None)

    async def is_over(task: Task) -> bool:
        raise KeyError(task.id)

    bench = prepare(pausing)
    stuck, due = await bench.accept(created_by="a"), await bench.accept(created_by="b")
    await bench.run(stuck)
    await bench.run(due)
    bench.sweep._is_over = {"sample": is_over}
    untold = await bench.accept()

    await bench.watch(10)

    assert (await bench.tasks.get(due.id)).state is TaskState.QUEUED
    assert (await bench.tasks.get(untold.id)).facts == ()


async def test_a_decided_task_that_cannot_be_finished_does_not_keep_a_service_from_starting(
    prepare: Prepare, before: Before
) -> None:
    bench = prepare(nothing)
    broken = await claimed(bench)
    await bench.tasks.replace(broken.decided(Outcome(records=(a_draft(TAGGED),)), at=broken.updated_at), was=broken)
    other = await claimed(bench)
    before(bench.runner, "finish", raises(KeyError("a fault")))

    await bench.sweep.take_all()

    assert (await bench.tasks.get(other.id)).state is TaskState.QUEUED


async def test_what_was_queued_when_a_service_ended_is_rung_for_when_it_starts(prepare: Prepare) -> None:
    bench = prepare(nothing)
    task = await bench.accept()

    await bench.sweep.take_all()
    await bench.sweep.sweep()

    async with bench.bus.doorbells(Slot.DATA) as deliveries:
        delivery = await asyncio.wait_for(anext(deliveries), SECONDS)
    assert delivery.doorbell == Doorbell(task.id, "sample", Slot.DATA)


async def test_a_taken_task_is_rung_for_in_the_same_sweep(prepare: Prepare) -> None:
    bench = prepare(nothing)
    task = await claimed(bench)

    await bench.watch(bench.settings.orphan_seconds)

    async with bench.bus.doorbells(Slot.DATA) as deliveries:
        delivery = await asyncio.wait_for(anext(deliveries), SECONDS)
    assert delivery.doorbell.task == task.id
