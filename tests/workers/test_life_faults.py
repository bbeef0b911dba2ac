"""The life of a task when something goes wrong in the very moment that matters."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.algebra_parameters import SampleParameters
from schemas.blobs import BlobRef
from schemas.datasets import Tag, Version
from schemas.errors import Conflict, Invalid, Unavailable
from schemas.events import EventType
from schemas.outcomes import Outcome, Pause
from schemas.parameters import Slot
from schemas.schema import digest_of
from schemas.tasks import Doorbell, Task, TaskState
from storage.local_bus import LocalBus
from storage.ports import Delivery
from tests.contract.reading_bus import is_quiet
from tests.workers.life_bench import SECONDS, Bench, Prepare, a_draft, a_version, nothing, raising, waiting
from workers.records import keep, reserve
from workers.work import Work

TAGGED = SampleParameters(dataset="few", tag="best", source="many", count=1)


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Callable[[object, str, Callable[[], Awaitable[None]]], None]:
    """Return what has something happen before the next call of a method, and only then."""

    def arrange(target: object, method: str, happens: Callable[[], Awaitable[None]]) -> None:
        called = getattr(target, method)

        async def call(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - those of any method
            monkeypatch.setattr(target, method, called)
            await happens()
            return await called(*arguments, **options)

        monkeypatch.setattr(target, method, call)

    return arrange


Before = Callable[[object, str, Callable[[], Awaitable[None]]], None]


class HungBus(LocalBus):
    """A bus that takes doorbells and never answers anything else."""

    async def publish(self, events: Any) -> None:  # noqa: ANN401 - it does not look at them
        del events
        await asyncio.Event().wait()


def raises(error: Exception) -> Callable[[], Awaitable[None]]:
    async def happens() -> None:
        raise error

    return happens


async def claimed(bench: Bench, **changes: object) -> Task:
    task = await bench.runner.claim((await bench.accept(**changes)).id)
    assert task is not None
    return task


# Claims


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


# Cancelling


async def test_a_task_that_pauses_before_it_saw_that_it_is_cancelled_ends_as_cancelled(prepare: Prepare) -> None:
    async def handler(work: Work[SampleParameters]) -> Pause:
        await bench.ask_to_cancel(work.task)
        return Pause(step="second", waiting_for="an answer that never comes")

    bench = prepare(handler)

    ended = await bench.run(await bench.accept())

    assert (ended.state, ended.waiting_for) == (TaskState.CANCELLED, "")


@pytest.mark.parametrize("error", [Unavailable("The store is away."), KeyError("a fault")])
async def test_a_task_to_be_tried_again_that_is_cancelled_meanwhile_ends_as_cancelled(
    prepare: Prepare, error: Exception
) -> None:
    async def handler(work: Work[SampleParameters]) -> Outcome:
        await bench.ask_to_cancel(work.task)
        raise error

    bench = prepare(handler)

    assert (await bench.run(await bench.accept())).state is TaskState.CANCELLED


async def test_a_cancelled_task_whose_worker_vanished_ends_as_cancelled(prepare: Prepare) -> None:
    bench = prepare(nothing)
    task = await claimed(bench, outlived=4)
    await bench.ask_to_cancel(task)

    await bench.sweep.take_all()

    assert (await bench.tasks.get(task.id)).state is TaskState.CANCELLED


async def test_what_breaks_while_a_handler_is_stopped_is_no_failure_of_its_task(prepare: Prepare) -> None:
    started = asyncio.Event()

    async def handler(work: Work[SampleParameters]) -> Outcome:
        del work
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            raise Invalid("The file ends in the middle.") from error
        raise AssertionError

    bench = prepare(handler)
    task = await bench.accept()

    async with bench.working():
        await bench.bus.ring(task.doorbell())
        await started.wait()

    handed = await bench.tasks.get(task.id)
    assert (handed.state, handed.tries, handed.not_before) == (TaskState.QUEUED, 0, None)


# Failing


async def test_a_handler_that_nobody_stopped_but_that_ends_as_cancelled_is_a_fault(prepare: Prepare) -> None:
    async def handler(work: Work[SampleParameters]) -> Outcome:
        del work
        raise asyncio.CancelledError

    bench = prepare(handler)

    queued = await bench.run(await bench.accept())
    failed = await bench.run(await bench.accept(tries=2))

    assert (queued.state, queued.tries) == (TaskState.QUEUED, 1)
    assert queued.not_before is not None
    assert failed.state is TaskState.FAILED


async def test_a_conflict_that_comes_again_and_again_is_as_good_as_a_fault(prepare: Prepare) -> None:
    bench = prepare(raising(*[Conflict("thing", "x", key="name")] * 2))

    queued = await bench.run(await bench.accept())
    failed = await bench.run(await bench.accept(tries=2))

    assert (queued.state, failed.state) == (TaskState.QUEUED, TaskState.FAILED)


async def test_a_worker_without_room_for_a_folder_lets_the_task_be_tried_again(
    prepare: Prepare,
) -> None:
    bench = prepare(nothing)
    task = await claimed(bench)
    (bench.settings.scratch / f"attempt-{task.id}-{task.epoch}").mkdir(parents=True)

    await bench.runner.run(task)

    queued = await bench.tasks.get(task.id)
    assert (queued.state, queued.tries, queued.outlived) == (TaskState.QUEUED, 1, 0)


async def test_a_task_of_a_type_that_this_worker_does_not_know_is_tried_again(prepare: Prepare) -> None:
    bench = prepare(nothing)
    bench.runner._handlers = {}

    queued = await bench.run(await bench.accept())

    assert (queued.state, queued.tries) == (TaskState.QUEUED, 1)


async def test_a_task_whose_tag_is_refused_keeps_its_log_and_report(prepare: Prepare) -> None:
    told = BlobRef(digest=digest_of(b"told"), size=4)

    async def handler(work: Work[SampleParameters]) -> Outcome:
        return Outcome(records=(a_draft(work.parameters),), log=told, report=told, warnings=("odd",))

    bench = prepare(handler)
    await bench.run(await bench.accept(parameters=TAGGED))

    failed = await bench.run(await bench.accept(parameters=TAGGED))

    assert failed.state is TaskState.FAILED
    assert (failed.log, failed.report, failed.warnings) == (told, told, ("odd",))


# Tags


async def test_a_tag_is_not_stolen_from_a_task_that_ends_while_it_is_asked_for(
    prepare: Prepare, before: Before
) -> None:
    bench = prepare(nothing)
    first, second = await claimed(bench, parameters=TAGGED), await claimed(bench, parameters=TAGGED)
    outcome = Outcome(records=(a_draft(TAGGED),))
    await reserve(first, outcome, bench.database)

    async def end() -> None:
        await keep(first, outcome, bench.database, at=datetime.now(UTC))
        await bench.tasks.replace(first.ended(outcome, at=datetime.now(UTC)), was=first)

    before(bench.tasks, "get", end)
    before(bench.tasks, "get_many", end)
    with pytest.raises(Invalid, match="has a tag 'best' already"):
        await reserve(second, outcome, bench.database)


async def test_a_tag_that_is_removed_while_it_is_asked_for_is_given(prepare: Prepare, before: Before) -> None:
    bench = prepare(a_version)
    await bench.run(await bench.accept(parameters=TAGGED))
    tags = bench.database.documents(Tag)
    tag = (await tags.list()).items[0]

    async def remove() -> None:
        await tags.remove(tag.id)

    before(tags, "get", remove)
    ended = await bench.run(await bench.accept(parameters=TAGGED))

    assert ended.state is TaskState.SUCCEEDED
    assert (await tags.get(tag.id)).version == ended.result.version


async def test_of_two_tasks_that_want_a_free_tag_one_gets_it_and_the_other_is_refused(
    prepare: Prepare, before: Before
) -> None:
    bench = prepare(a_version)
    ended = await bench.run(await bench.accept(parameters=TAGGED))
    assert ended.result.version is not None
    await bench.database.documents(Version).remove(ended.result.version)
    first, second = await claimed(bench, parameters=TAGGED), await claimed(bench, parameters=TAGGED)
    outcome = Outcome(records=(a_draft(TAGGED),))

    async def take() -> None:
        await reserve(first, outcome, bench.database)

    before(bench.database.documents(Tag), "replace", take)
    with pytest.raises(Invalid, match="has a tag 'best' already"):
        await reserve(second, outcome, bench.database)


# Telling


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


# Sweeping


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


# Ending


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
