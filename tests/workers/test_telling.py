"""What a worker writes beside its task: nothing once the task is another's, and no event that nobody will hear."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.algebra_parameters import SampleParameters
from schemas.datasets import Tag
from schemas.errors import Unavailable
from schemas.events import EventType
from schemas.outcomes import Outcome
from schemas.projects import ClassEntry, ClassList
from schemas.task_states import TaskState
from schemas.tasks import Progress
from storage.local_bus import LocalBus
from storage.sqlite import open_database
from tests.factories import PROJECT
from tests.workers.life_bench import Bench, a_draft, nothing
from workers.runner import Handler
from workers.work import Work

TAGGED = SampleParameters(dataset="few", tag="best", source="many", count=1)

Prepare = Callable[[Handler], Bench]


class AwayBus(LocalBus):
    """A bus that carries doorbells and no events."""

    async def publish(self, events: Any) -> None:  # noqa: ANN401 - it does not look at them
        del events
        raise Unavailable("The broker is away.")


@pytest.fixture
async def prepare(tmp_path: Path) -> AsyncIterator[Prepare]:
    async with open_database(tmp_path / "ymir.db") as database:
        yield lambda handler: Bench(database, tmp_path, handler)


async def test_a_worker_whose_task_was_taken_reserves_neither_a_tag_nor_classes(prepare: Prepare) -> None:
    async def handler(work: Work[SampleParameters]) -> Outcome:
        await bench.sweep.take_all()  # as if this worker had slept for too long
        return Outcome(records=(a_draft(work.parameters),), new_classes=(ClassEntry(name="cat"),))

    bench = prepare(handler)
    await bench.database.documents(ClassList).add(ClassList(id=PROJECT))

    task = await bench.run(await bench.accept(parameters=TAGGED))

    assert task.state is TaskState.QUEUED
    assert await bench.database.documents(Tag).count() == 0
    assert (await bench.database.documents(ClassList).get(PROJECT)).classes == ()


async def test_progress_is_in_the_log_only_once_it_was_published(prepare: Prepare) -> None:
    bench = prepare(nothing)
    claimed = await bench.runner.claim((await bench.accept()).id)
    assert claimed is not None
    task = claimed.beaten(progress=Progress(fraction=0.5), at=claimed.updated_at)
    bench.announcer._bus = AwayBus()

    with pytest.raises(Unavailable):
        await bench.announcer.tell(task)
    while_away = [logged.event.type for logged in await bench.events()]
    bench.announcer._bus = bench.bus
    async with bench.bus.events() as heard:
        await bench.announcer.tell(task)
        told = [(await asyncio.wait_for(anext(heard), 5)).type for _ in task.facts]

    assert while_away == [EventType.TASK_QUEUED, EventType.TASK_STARTED]
    assert told == [*while_away, EventType.TASK_PROGRESSED]
    assert [logged.event.type for logged in await bench.events()] == told
