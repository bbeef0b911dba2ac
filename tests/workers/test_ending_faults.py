"""A task is cancelled, fails or has its tag taken in the very moment that matters."""

import asyncio
from datetime import UTC, datetime

import pytest

from schemas.algebra_parameters import SampleParameters
from schemas.blobs import BlobRef
from schemas.datasets import Tag, Version
from schemas.errors import Conflict, Invalid, Unavailable
from schemas.outcomes import Outcome, Pause
from schemas.schema import digest_of
from schemas.task_states import TaskState
from tests.happenings import Before
from tests.workers.life_bench import (
    TAGGED,
    Prepare,
    a_draft,
    a_version,
    claimed,
    nothing,
    raising,
)
from workers.records import keep, reserve
from workers.work import Work


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

    before(tags, "get_many", remove)
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
