"""Claims and doorbells when something goes wrong in the very moment that matters."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from schemas.algebra_parameters import SampleParameters
from schemas.errors import Invalid, Unavailable
from schemas.outcomes import Outcome
from schemas.parameters import Slot
from schemas.task_states import TaskState
from schemas.tasks import Task
from storage.ports import Delivery
from tests.contract.reading_bus import is_quiet
from tests.happenings import Before
from tests.workers.life_bench import (
    SECONDS,
    Prepare,
    nothing,
    raises,
)
from workers.work import Work


async def test_a_task_whose_facts_are_taken_out_during_its_claim_is_claimed_all_the_same(
    prepare: Prepare, before: Before
) -> None:
    bench = prepare(nothing)
    task = await bench.accept()

    async def announce() -> None:
        await bench.announcer.announce(task)

    before(bench.tasks, "replace", announce)
    found = await bench.runner.claim(task.id)

    assert found is not None
    assert found.state is TaskState.RUNNING


async def test_a_claim_whose_answer_is_lost_on_its_way_is_known_as_ones_own(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = prepare(nothing)
    task = await bench.accept()
    replace = bench.tasks.replace

    async def replace_twice(document: Task, *, was: Task) -> None:
        await replace(document, was=was)
        await replace(document, was=was)

    monkeypatch.setattr(bench.tasks, "replace", replace_twice)

    assert await bench.runner.claim(task.id) == await bench.tasks.get(task.id)


async def test_a_claim_that_meets_an_outage_is_made_when_it_is_over(
    prepare: Prepare, before: Before, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.consumer.AGAIN_SECONDS", 0.01)
    bench = prepare(nothing)
    task = await bench.accept()
    before(bench.runner, "claim", raises(Unavailable("The store is away.")))

    async with bench.working():
        await bench.bus.ring(task.doorbell())
        ended = await bench.until(task.id, TaskState.SUCCEEDED)

    assert ended.outlived == 0


async def test_a_doorbell_for_a_task_that_only_a_newer_release_can_read_is_answered_and_the_next_is_heard(
    prepare: Prepare, before: Before
) -> None:
    bench = prepare(nothing)
    strange, task = [await bench.accept() for _ in range(2)]
    before(bench.runner, "claim", raises(Invalid("A stored task cannot be read.")))

    async with bench.working():
        await bench.bus.ring(strange.doorbell())
        await bench.bus.ring(task.doorbell())
        await bench.until(task.id, TaskState.SUCCEEDED)

    async with bench.bus.doorbells(Slot.DATA) as deliveries:
        assert await is_quiet(deliveries)
    assert (await bench.tasks.get(strange.id)).state is TaskState.QUEUED


async def test_a_claimed_task_whose_doorbell_cannot_be_acknowledged_is_run(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def acknowledge(delivery: Delivery) -> None:
        raise Unavailable(f"The broker is away: {delivery.doorbell.task}")

    monkeypatch.setattr("storage.local_bus._LocalDelivery.acknowledge", acknowledge)
    bench = prepare(nothing)
    task = await bench.accept()

    async with bench.working():
        await bench.bus.ring(task.doorbell())
        await bench.until(task.id, TaskState.SUCCEEDED)


async def test_no_slot_is_won_when_the_bus_goes_away_while_it_is_left(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.consumer.AGAIN_SECONDS", 0.01)
    started: list[str] = []
    second, done = asyncio.Event(), asyncio.Event()

    async def handler(work: Work[SampleParameters]) -> Outcome:
        started.append(work.task.id)
        if len(started) > 1:
            second.set()
        await done.wait()
        return await nothing(work)

    bench = prepare(handler)
    tasks = [await bench.accept() for _ in range(2)]
    left = asyncio.Event()
    doorbells = bench.bus.doorbells

    @asynccontextmanager
    async def torn(slot: Slot) -> AsyncIterator[AsyncIterator[Delivery]]:
        async with doorbells(slot) as deliveries:
            yield deliveries
        left.set()
        raise Unavailable("The connection broke.")

    monkeypatch.setattr(bench.bus, "doorbells", torn)

    async with bench.working(slots=1):
        for task in tasks:
            await bench.bus.ring(task.doorbell())
        await asyncio.wait_for(left.wait(), SECONDS)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(second.wait(), 0.3)
        done.set()
        for task in tasks:
            await bench.until(task.id, TaskState.SUCCEEDED)


async def test_a_fault_of_the_bus_does_not_end_the_worker(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.consumer.AGAIN_SECONDS", 0.01)
    bench = prepare(nothing)
    task = await bench.accept()
    doorbells, faults = bench.bus.doorbells, [KeyError("a fault")]

    @asynccontextmanager
    async def faulty(slot: Slot) -> AsyncIterator[AsyncIterator[Delivery]]:
        if faults:
            raise faults.pop()
        async with doorbells(slot) as deliveries:
            yield deliveries

    monkeypatch.setattr(bench.bus, "doorbells", faulty)

    async with bench.working():
        await bench.bus.ring(task.doorbell())
        await bench.until(task.id, TaskState.SUCCEEDED)
