"""The life of a task, on the embedded adapters."""

import asyncio
from datetime import UTC, datetime

import pytest

from schemas.algebra_parameters import SampleParameters
from schemas.datasets import Tag, Version
from schemas.errors import Invalid, Unavailable
from schemas.events import EventType
from schemas.outcomes import Outcome, Pause
from schemas.parameters import Slot
from schemas.problems import TYPE_PREFIX
from schemas.projects import ClassEntry, ClassList
from schemas.task_states import TaskState
from storage.ports import Query
from tests.factories import PROJECT
from tests.workers.life_bench import SECONDS, Prepare, a_draft, a_version, nothing, raising, waiting
from workers.ownership import Lost, Ownership
from workers.work import Stopping, Work


async def test_a_task_that_is_rung_for_is_run_and_its_life_is_in_the_log(prepare: Prepare) -> None:
    bench = prepare(nothing)
    task = await bench.accept()

    async with bench.working():
        await bench.bus.ring(task.doorbell())
        ended = await bench.until(task.id, TaskState.SUCCEEDED)

    assert ended.result.summary == {"task": task.id}
    told = [logged.event.type for logged in await bench.events()]
    assert told == [EventType.TASK_QUEUED, EventType.TASK_STARTED, EventType.TASK_SUCCEEDED]


async def test_doorbells_that_come_twice_run_a_task_once(prepare: Prepare) -> None:
    runs: list[str] = []

    async def count(work: Work[SampleParameters]) -> Outcome:
        runs.append(work.task.id)
        return Outcome()

    bench = prepare(count)
    task = await bench.accept()

    async with bench.working(slots=3):
        for _ in range(5):
            await bench.bus.ring(task.doorbell())
        await bench.until(task.id, TaskState.SUCCEEDED)

    assert runs == [task.id]


async def test_more_tasks_than_slots_all_run_and_never_more_at_once(prepare: Prepare) -> None:
    at_once, most = 0, 0

    async def handler(work: Work[SampleParameters]) -> Outcome:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= 1
        return await nothing(work)

    bench = prepare(handler)
    tasks = [await bench.accept() for _ in range(12)]

    async with bench.working(slots=3):
        for task in tasks:
            await bench.bus.ring(task.doorbell())
        for task in tasks:
            await bench.until(task.id, TaskState.SUCCEEDED)

    assert most <= 3


async def test_a_version_gets_the_next_number_of_its_dataset(prepare: Prepare) -> None:
    bench = prepare(a_version)

    ended = [await bench.run(await bench.accept()) for _ in range(3)]

    assert [task.result.number for task in ended] == [1, 2, 3]
    assert [version.task for version in await bench.versions()] == [task.id for task in ended]
    types = [logged.event.type for logged in await bench.events()]
    assert types.count(EventType.VERSION_CREATED) == 3


async def test_versions_made_at_once_share_no_number_and_leave_none_out(prepare: Prepare) -> None:
    bench = prepare(a_version)
    tasks = [await bench.accept() for _ in range(10)]

    await asyncio.gather(*(bench.run(task) for task in tasks))

    assert [version.number for version in await bench.versions()] == list(range(1, 11))


async def test_a_decided_task_whose_worker_vanished_is_finished_by_the_sweep_once(prepare: Prepare) -> None:
    bench = prepare(a_version)
    task = await bench.accept()
    claimed = await bench.runner.claim(task.id)
    assert claimed is not None
    draft = a_draft(SampleParameters(dataset="few", source="many", count=1))
    owned = Ownership(claimed, bench.tasks)
    await owned.write(lambda now: now.decided(Outcome(records=(draft,)), at=datetime.now(UTC)))

    await bench.watch(bench.settings.orphan_seconds)
    await bench.sweep.sweep()

    ended = await bench.tasks.get(task.id)
    assert ended.state is TaskState.SUCCEEDED
    assert [version.task for version in await bench.versions()] == [task.id]


async def test_a_running_task_is_taken_only_after_its_beat_was_seen_to_stand_still(prepare: Prepare) -> None:
    bench = prepare(nothing)
    task = await bench.accept()
    claimed = await bench.runner.claim(task.id)
    assert claimed is not None

    await bench.watch(bench.settings.orphan_seconds - 1)
    assert (await bench.tasks.get(task.id)).state is TaskState.RUNNING
    await Ownership(claimed, bench.tasks).write(lambda now: now.beaten(progress=now.progress, at=datetime.now(UTC)))
    await bench.watch(bench.settings.orphan_seconds - 1)
    assert (await bench.tasks.get(task.id)).state is TaskState.RUNNING
    await bench.watch(2)

    taken = await bench.tasks.get(task.id)
    assert (taken.state, taken.outlived) == (TaskState.QUEUED, 1)


async def test_a_task_that_outlives_five_workers_fails_and_says_so(prepare: Prepare) -> None:
    bench = prepare(nothing)
    task = await bench.accept()

    for _ in range(5):
        assert await bench.runner.claim(task.id) is not None
        await bench.sweep.take_all()

    failed = await bench.tasks.get(task.id)
    assert failed.state is TaskState.FAILED
    assert failed.problem is not None
    assert failed.problem.detail == "5 workers vanished while they ran this task."


async def test_a_worker_that_lost_its_task_writes_nothing(prepare: Prepare) -> None:
    bench = prepare(a_version)
    task = await bench.accept()
    claimed = await bench.runner.claim(task.id)
    assert claimed is not None
    await bench.sweep.take_all()

    await bench.runner.run(claimed)

    assert (await bench.tasks.get(task.id)).state is TaskState.QUEUED
    assert await bench.versions() == []


async def test_a_worker_that_loses_its_task_stops_its_handler(prepare: Prepare) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def handler(work: Work[SampleParameters]) -> Outcome:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            assert work.stopping is Stopping.LOST
            stopped.set()
        return Outcome()

    bench = prepare(handler)
    task = await bench.accept()
    running = asyncio.create_task(bench.run(task))
    await started.wait()

    await bench.sweep.take_all()

    async with asyncio.timeout(SECONDS):
        await stopped.wait()
        assert (await running).state is TaskState.QUEUED


async def test_a_running_task_that_is_cancelled_is_stopped_at_its_next_beat(prepare: Prepare) -> None:
    started = asyncio.Event()
    bench = prepare(waiting(started))
    task = await bench.accept()
    running = asyncio.create_task(bench.run(task))
    await started.wait()

    await bench.ask_to_cancel(task)

    async with asyncio.timeout(SECONDS):
        assert (await running).state is TaskState.CANCELLED


async def test_what_a_cancelled_handler_collected_is_kept(prepare: Prepare) -> None:
    started = asyncio.Event()

    async def handler(work: Work[SampleParameters]) -> Outcome:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Outcome(records=(a_draft(work.parameters),), cancelled=True)
        raise AssertionError

    bench = prepare(handler)
    task = await bench.accept(cancel_requested=True)

    ended = await asyncio.wait_for(bench.run(task), SECONDS)

    assert ended.state is TaskState.CANCELLED
    assert ended.result.version is not None
    assert len(await bench.versions()) == 1


async def test_a_worker_that_is_told_to_stop_hands_its_task_over(prepare: Prepare) -> None:
    started = asyncio.Event()
    bench = prepare(waiting(started))
    task = await bench.accept()

    async with bench.working():
        await bench.bus.ring(task.doorbell())
        await started.wait()

    handed = await bench.tasks.get(task.id)
    assert (handed.state, handed.outlived, handed.tries) == (TaskState.QUEUED, 0, 0)


async def test_bad_input_fails_at_once_and_says_what_to_do(prepare: Prepare) -> None:
    bench = prepare(raising(Invalid("The file is empty.", step="Send another.")))

    failed = await bench.run(await bench.accept())

    assert failed.state is TaskState.FAILED
    assert failed.problem is not None
    assert (failed.problem.status, failed.problem.detail, failed.problem.step) == (
        422,
        "The file is empty.",
        "Send another.",
    )


async def test_what_is_unavailable_is_tried_again_later(prepare: Prepare) -> None:
    bench = prepare(raising(Unavailable("The store is away.")))
    task = await bench.accept()

    queued = await bench.run(task)

    assert (queued.state, queued.tries) == (TaskState.QUEUED, 1)
    assert queued.not_before is not None
    assert queued.not_before > queued.created_at


async def test_a_bug_is_tried_three_times_and_then_told_with_a_reference(prepare: Prepare) -> None:
    bench = prepare(raising(*[KeyError("x")] * 3))
    task = await bench.accept()

    for _ in range(3):
        current = await bench.tasks.get(task.id)
        if current.not_before is not None:
            await bench.tasks.replace(current.successor(not_before=None), was=current)
        current = await bench.run(task)

    assert current.state is TaskState.FAILED
    assert current.problem is not None
    assert current.problem.type == TYPE_PREFIX + "bug"
    assert "reference" in current.problem.step


async def test_a_handler_that_waits_holds_nothing_and_goes_on_where_it_was(prepare: Prepare) -> None:
    steps: list[str] = []

    async def handler(work: Work[SampleParameters]) -> Outcome | Pause:
        steps.append(work.task.step)
        return Outcome() if work.task.step else Pause(step="second", waiting_for="an answer")

    bench = prepare(handler)
    task = await bench.accept()

    paused = await bench.run(task)
    await bench.tasks.replace(paused.woken(at=datetime.now(UTC)), was=paused)
    ended = await bench.run(task)

    assert (paused.state, paused.owner, paused.waiting_for) == (TaskState.WAITING, None, "an answer")
    assert ended.state is TaskState.SUCCEEDED
    assert steps == ["", "second"]


async def test_a_waiting_task_whose_time_has_come_is_queued_by_the_sweep(prepare: Prepare) -> None:
    async def handler(work: Work[SampleParameters]) -> Pause:
        return Pause(step="again", waiting_for="the time", until=work.now())

    bench = prepare(handler)
    task = await bench.accept()
    await bench.run(task)

    await bench.sweep.sweep()

    assert (await bench.tasks.get(task.id)).state is TaskState.QUEUED


async def test_a_task_nobody_was_told_of_is_rung_for_after_five_seconds_and_then_ever_more_rarely(
    prepare: Prepare,
) -> None:
    bench = prepare(nothing)
    task = await bench.accept()
    rings: list[float] = []

    async with bench.bus.doorbells(Slot.DATA) as deliveries:

        async def listen() -> None:
            async for delivery in deliveries:
                assert delivery.doorbell.task == task.id
                rings.append(bench.monotonic.seconds)
                await delivery.acknowledge()

        listening = asyncio.create_task(listen())
        for second in range(60):
            bench.monotonic.seconds = float(second)
            await bench.sweep.sweep()
            await asyncio.sleep(0)
        listening.cancel()
        await asyncio.wait({listening})

    assert rings == [5.0, 15.0, 35.0]


async def test_facts_that_stayed_in_a_task_are_announced_by_the_sweep_once(prepare: Prepare) -> None:
    bench = prepare(nothing)
    task = await bench.accept()

    for _ in range(3):
        await bench.sweep.sweep()
        bench.monotonic.seconds += bench.settings.sweep_seconds + 0.1

    assert (await bench.tasks.get(task.id)).facts == ()
    assert [logged.event.type for logged in await bench.events()] == [EventType.TASK_QUEUED]


async def test_a_tag_that_is_taken_fails_the_task_and_makes_no_version(prepare: Prepare) -> None:
    bench = prepare(a_version)
    parameters = SampleParameters(dataset="few", tag="best", source="many", count=1)
    await bench.run(await bench.accept(parameters=parameters))

    failed = await bench.run(await bench.accept(parameters=parameters))

    assert failed.state is TaskState.FAILED
    assert failed.problem is not None
    assert "tag 'best'" in failed.problem.detail
    assert len(await bench.versions()) == 1


async def test_a_tag_reserved_by_a_task_that_came_to_nothing_is_free(prepare: Prepare) -> None:
    bench = prepare(a_version)
    parameters = SampleParameters(dataset="few", tag="best", source="many", count=1)
    ended = await bench.run(await bench.accept(parameters=parameters))
    tag = (await bench.database.documents(Tag).list(Query())).items[0]
    await bench.database.documents(Version).remove(tag.version)
    assert ended.is_final

    second = await bench.run(await bench.accept(parameters=parameters))

    assert second.state is TaskState.SUCCEEDED
    assert (await bench.database.documents(Tag).get(tag.id)).version == second.result.version


async def test_new_classes_are_in_the_project_when_the_task_has_ended(prepare: Prepare) -> None:
    async def handler(work: Work[SampleParameters]) -> Outcome:
        del work
        return Outcome(new_classes=(ClassEntry(name="cat"), ClassEntry(name="dog")))

    bench = prepare(handler)
    lists = bench.database.documents(ClassList)
    await lists.add(ClassList(id=PROJECT, classes=(ClassEntry(name="dog"),)))

    await bench.run(await bench.accept())

    assert [entry.name for entry in (await lists.get(PROJECT)).classes] == ["dog", "cat"]


async def test_an_owner_whose_write_meets_a_cancel_request_writes_again_on_top_of_it(prepare: Prepare) -> None:
    bench = prepare(nothing)
    claimed = await bench.runner.claim((await bench.accept()).id)
    assert claimed is not None
    owned = Ownership(claimed, bench.tasks)
    await bench.tasks.replace(claimed.successor(cancel_requested=True), was=claimed)

    written = await owned.write(lambda task: task.beaten(progress=task.progress, at=datetime.now(UTC)))

    assert (written.cancel_requested, written.beat) == (True, 1)


async def test_an_owner_of_an_older_epoch_is_told_that_it_lost(prepare: Prepare) -> None:
    bench = prepare(nothing)
    claimed = await bench.runner.claim((await bench.accept()).id)
    assert claimed is not None
    await bench.sweep.take_all()

    with pytest.raises(Lost):
        await Ownership(claimed, bench.tasks).write(
            lambda task: task.beaten(progress=task.progress, at=datetime.now(UTC))
        )
