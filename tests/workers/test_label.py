"""Labeling: a job is opened, answered, and becomes a version."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.annotations import GROUND_TRUTH, Annotation, Box
from schemas.errors import Conflict, Invalid
from schemas.events import EventType
from schemas.exchange_parameters import LabelParameters
from schemas.labeling import ItemState, JobState, LabelingItem, LabelingJob
from schemas.outcomes import Outcome, Pause
from schemas.tasks import Task
from storage.labeling.settings import LabelingSettings
from storage.ports import Query
from tests.factories import NOON
from tests.workers.loop_world import CAT, DOG, World, a_world
from workers.handlers.label import label
from workers.labeling.jobs import job_id
from workers.labeling.using import LabelingTools
from workers.work import Work

BOX = Box(x=1, y=2, width=3, height=4)
KITTEN = Annotation(class_name="cat", box=BOX)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


async def a_job(
    world: World, labels: list[list[object] | None] | None = None, **changes: object
) -> Work[LabelParameters]:
    content = await world.pictures([[CAT], [DOG], None] if labels is None else labels)  # type: ignore[arg-type]
    asked = LabelParameters.model_validate(
        {"dataset": "answers", "source": "any", "classes": ("cat", "dog"), **changes}
    )
    version = await world.version(content)
    return world.work(asked, {"/source": version, "/base": version})


async def run(world: World, work: Work[LabelParameters]) -> Outcome | Pause:
    tools = LabelingTools({}, LabelingSettings(), world.database)
    return await label(work, library=world.library, database=world.database, blobs=world.blobs, tools=tools)


async def items(world: World, work: Work[LabelParameters]) -> list[LabelingItem]:
    query = Query(equal={"job": job_id(work.task.id)})
    return list((await world.database.documents(LabelingItem).list(query, order="position")).items)


async def answer(world: World, item: LabelingItem, state: ItemState, *annotations: Annotation) -> None:
    answered = item.successor(state=state, annotations=annotations, author="ann", answered_at=NOON)
    await world.database.documents(LabelingItem).replace(answered, was=item)


async def collected(world: World, work: Work[LabelParameters], *, close: bool = True) -> Outcome | Pause:
    if close:
        jobs = world.database.documents(LabelingJob)
        job = await jobs.get(job_id(work.task.id))
        await jobs.replace(job.successor(state=JobState.CLOSED, closed_at=NOON), was=job)
    task = work.task.model_copy(update={"step": "collect"})
    return await run(world, Work(task, work.parameters, scratch=work.scratch, now=work.now))


async def test_a_job_has_an_item_for_each_asset_and_its_task_waits(world: World) -> None:
    work = await a_job(world)

    pause = await run(world, work)

    assert isinstance(pause, Pause)
    assert pause.result.labeling == job_id(work.task.id)
    assert [fact.type for fact in pause.facts] == [EventType.LABELING_REQUESTED]
    assert [(item.state, item.width, item.height) for item in await items(world, work)] == [
        (ItemState.OPEN, 100, 80)
    ] * 3


async def test_the_layer_to_keep_is_what_annotators_start_from(world: World) -> None:
    work = await a_job(world, keep=GROUND_TRUTH)

    await run(world, work)

    names = [[kept.class_name for kept in item.suggestions] for item in await items(world, work)]
    assert sorted(names) == [[], ["cat"], ["dog"]]


async def test_opening_a_job_again_after_its_worker_died_changes_nothing(world: World) -> None:
    work = await a_job(world)
    await run(world, work)
    first = await world.database.documents(LabelingJob).get(job_id(work.task.id))

    await run(world, work)

    assert await world.database.documents(LabelingJob).get(first.id) == first
    assert len(await items(world, work)) == 3


async def test_the_version_has_labeled_images_alone_and_tells_empty_from_skipped(world: World) -> None:
    work = await a_job(world)
    await run(world, work)
    labeled, empty, skipped = await items(world, work)
    await answer(world, labeled, ItemState.LABELED, KITTEN)
    await answer(world, empty, ItemState.LABELED)
    await answer(world, skipped, ItemState.SKIPPED)

    outcome = await collected(world, work)

    assert isinstance(outcome, Outcome)
    rows = await world.rows(outcome)
    assert set(rows) == {labeled.asset, empty.asset}
    assert rows[empty.asset].layers[GROUND_TRUTH] == ()
    (kitten,) = rows[labeled.asset].layers[GROUND_TRUTH]
    assert (kitten.class_name, kitten.box, kitten.author) == ("cat", (1.0, 2.0, 3.0, 4.0), "ann")
    assert outcome.result.summary == {"labeled": 2, "empty": 1, "skipped": 1, "unanswered": 0}
    assert [(found.subject, found.kind) for found in (await world.report(outcome)).findings] == [
        (skipped.asset, "skipped")
    ]
    assert [fact.type for fact in outcome.facts] == [EventType.LABELING_COMPLETED]


async def test_a_job_that_is_closed_early_reports_what_was_never_answered(world: World) -> None:
    work = await a_job(world)
    await run(world, work)
    first, *others = await items(world, work)
    await answer(world, first, ItemState.LABELED, KITTEN)

    outcome = await collected(world, work)

    assert isinstance(outcome, Outcome)
    assert outcome.result.summary["unanswered"] == len(others)
    assert set(await world.rows(outcome)) == {first.asset}


async def test_a_task_that_is_woken_while_its_job_is_open_waits_again(world: World) -> None:
    work = await a_job(world)
    await run(world, work)

    again = await collected(world, work, close=False)

    assert isinstance(again, Pause)
    assert again.facts == ()


async def test_a_job_closed_without_any_label_fails_with_the_counts(world: World) -> None:
    work = await a_job(world)
    await run(world, work)

    with pytest.raises(Invalid, match="0 were skipped, 3 not answered"):
        await collected(world, work)


async def test_a_tag_that_is_taken_is_refused_before_anybody_is_asked(world: World) -> None:
    first, second = await a_job(world, tag="best"), await a_job(world, tag="best")
    await world.database.documents(Task).add(first.task)
    await run(world, first)

    with pytest.raises(Invalid, match="has a tag 'best' already"):
        await run(world, second)

    assert await items(world, second) == []


async def test_a_version_without_images_cannot_be_labeled(world: World) -> None:
    work = await a_job(world, labels=[])

    with pytest.raises(Invalid, match="nothing to label"):
        await run(world, work)


async def test_labels_that_fit_the_base_keep_its_annotation_ids(world: World) -> None:
    work = await a_job(world, base="any", labels=[[CAT]])
    await run(world, work)
    (item,) = await items(world, work)
    x, y, width, height = CAT.box or (0, 0, 0, 0)
    moved = Annotation(class_name="cat", box=Box(x=x + 1, y=y, width=width, height=height))
    await answer(world, item, ItemState.LABELED, moved)

    outcome = await collected(world, work)

    assert isinstance(outcome, Outcome)
    (row,) = (await world.rows(outcome)).values()
    content = await world.library.content((await world.library.version(work.task.version_of("/base"))).digest)
    (base,) = [row async for row in world.library.rows(content)]
    assert row.layers[GROUND_TRUTH][0].id == base.layers[GROUND_TRUTH][0].id


async def test_an_answer_that_comes_between_closing_and_reading_is_in_the_version_or_refused(world: World) -> None:
    work = await a_job(world)
    await run(world, work)
    early, late, _ = await items(world, work)
    await answer(world, early, ItemState.LABELED, KITTEN)

    outcome = await collected(world, work)

    assert isinstance(outcome, Outcome)
    with pytest.raises(Conflict):
        await answer(world, late, ItemState.LABELED, KITTEN)
    assert all(item.sealed for item in await items(world, work))


async def test_collecting_again_after_its_worker_died_gives_the_same_version(world: World) -> None:
    work = await a_job(world)
    await run(world, work)
    await answer(world, (await items(world, work))[0], ItemState.LABELED, KITTEN)

    first = await collected(world, work)
    again = await run(world, Work(first_step_done(work), work.parameters, scratch=work.scratch, now=work.now))

    assert isinstance(first, Outcome)
    assert isinstance(again, Outcome)
    assert first.records == again.records


def first_step_done(work: Work[LabelParameters]) -> Task:
    return work.task.model_copy(update={"step": "collect"})
