"""A version of another project becomes one of this."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schemas.annotations import ATTRIBUTES, GROUND_TRUTH, ObjectType
from schemas.datasets import Version
from schemas.exchange_parameters import CopyParameters, ImportParameters
from schemas.manifests import Predictions, Segment
from schemas.outcomes import Outcome, VersionDraft
from schemas.projects import Project
from schemas.schema import Id, new_id
from schemas.splits import Split
from storage.datasets.content import Content, LayerContent
from storage.datasets.rows import AnnotationRow, ImageRow
from storage.datasets.segments import build_segment
from storage.datasets.selections import all_rows
from tests.factories import NOON
from tests.workers.loop_world import CAT, DOG, World, a_world
from workers.handlers.copy import copy

KITTY = CAT._replace(class_name="kitty")
YAK = CAT._replace(class_name="yak", confidence=0.5)
PREDICTIONS = Predictions(
    model=f"sha256:{'1' * 64}", stage="best", configuration=f"sha256:{'2' * 64}", classes=("yak", "kitty", "cat")
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


async def copied(world: World, version: Id, **asked: Any) -> Outcome:  # noqa: ANN401 - any field
    parameters = CopyParameters.model_validate({"dataset": "taken", "project": "other", "ref": "a@1", **asked})
    return await copy(
        world.work(parameters, {"/ref": version}), library=world.library, blobs=world.blobs, database=world.database
    )


async def with_layer(world: World, content: Content, name: str, rows: list[AnnotationRow], **more: Any) -> Content:  # noqa: ANN401 - as above
    """Return a content with the same annotations of another layer on its every image."""
    assets = [ImageRow(row.image.asset) async for row in world.library.rows(content)]
    built = build_segment(assets, [rows] * len(assets), layer=name, described=False)
    segment = await world.library.keep_segment(built)
    return content.with_layer(name, LayerContent({segment: all_rows(len(assets))}, **more))


def draft_of(outcome: Outcome) -> VersionDraft:
    assert outcome.problem is None, outcome.problem
    (draft,) = outcome.records
    assert isinstance(draft, VersionDraft)
    return draft


async def names_in(world: World, outcome: Outcome, layer: str = GROUND_TRUTH) -> list[list[str | None]]:
    rows = await world.rows(outcome)
    return sorted([one.class_name for one in row.layers[layer]] for row in rows.values() if layer in row.layers)


async def segments_of(world: World) -> set[str]:
    return {segment.digest for segment in (await world.database.documents(Segment).list()).items}


async def test_where_every_class_has_its_main_name_the_version_is_the_same_and_nothing_is_written(world: World) -> None:
    source = await world.version(await world.pictures([[CAT], [DOG, CAT], [], None]))
    before = {blob.digest async for blob in world.blobs.list()}

    outcome = await copied(world, source)

    draft = draft_of(outcome)
    assert draft.digest == (await world.database.documents(Version).get(source)).digest
    assert draft.parents == (source,)
    assert outcome.report is not None
    assert {blob.digest async for blob in world.blobs.list()} - before == {outcome.report.digest}


async def test_an_alias_gets_its_main_name_and_only_its_images_are_written_anew(world: World) -> None:
    source = await world.version(await world.pictures([[KITTY, DOG], [DOG], [], None]))
    before = await segments_of(world)

    outcome = await copied(world, source)

    assert await names_in(world, outcome) == [[], ["cat", "dog"], ["dog"]]
    (added,) = await segments_of(world) - before
    reader = await world.library.segment(added)
    assert reader.document.image_rows == 1
    assert outcome.result.summary["renamed_annotations"] == 1
    assert [(one.subject, one.kind) for one in (await world.report(outcome)).findings] == [("kitty", "renamed class")]


async def test_an_annotation_that_is_renamed_keeps_its_id(world: World) -> None:
    content = await world.pictures([[KITTY]])
    (before,) = [row async for row in world.library.rows(content)]

    (after,) = (await world.rows(await copied(world, await world.version(content)))).values()

    assert after.layers[GROUND_TRUTH][0] == before.layers[GROUND_TRUTH][0]._replace(class_name="cat")


async def test_under_stop_every_unknown_class_is_named_and_nothing_is_made(world: World) -> None:
    zebra = CAT._replace(class_name="zebra")
    source = await world.version(await world.pictures([[YAK, YAK], [zebra], [DOG]]))

    outcome = await copied(world, source)

    assert outcome.records == ()
    assert outcome.problem is not None
    assert [(error.pointer, "2 annotations" in error.detail) for error in outcome.problem.errors] == [
        ("yak", True),
        ("zebra", False),
    ]
    assert "yak, zebra" in outcome.problem.detail
    assert "ignore" in outcome.problem.step


async def test_under_ignore_their_annotations_are_left_out_and_counted_and_the_images_stay(world: World) -> None:
    source = await world.version(await world.pictures([[YAK, CAT], [YAK], None]))

    outcome = await copied(world, source, unknown_classes="ignore")

    assert await names_in(world, outcome) == [[], ["cat"]]
    assert draft_of(outcome).counts.images == 3
    assert outcome.result.summary["dropped_annotations"] == 2
    assert outcome.result.summary["unknown_classes"] == {"yak": 2}
    assert outcome.new_classes == ()


async def test_annotations_of_which_none_is_left_leave_images_that_are_annotated_as_empty(world: World) -> None:
    source = await world.version(await world.pictures([[YAK], [YAK, YAK]]))

    outcome = await copied(world, source, unknown_classes="ignore")

    assert await names_in(world, outcome) == [[], []]
    assert draft_of(outcome).counts.layers[GROUND_TRUTH].annotations == 0


async def test_under_add_the_project_gets_the_classes(world: World) -> None:
    source = await world.version(await world.pictures([[YAK, CAT]]))

    outcome = await copied(world, source, unknown_classes="add")

    assert await names_in(world, outcome) == [["yak", "cat"]]
    assert [entry.name for entry in outcome.new_classes] == ["yak"]


async def test_predictions_and_attributes_come_along(world: World) -> None:
    content = await world.pictures([[CAT], None])
    content = await with_layer(world, content, "model@best", [YAK, KITTY], predictions=PREDICTIONS)
    content = await with_layer(world, content, ATTRIBUTES, [AnnotationRow(attributes='{"weather":"rain"}')])

    outcome = await copied(world, await world.version(content), unknown_classes="ignore")

    assert await names_in(world, outcome, "model@best") == [["cat"], ["cat"]]
    assert await names_in(world, outcome, ATTRIBUTES) == [[None], [None]]
    predictions = (await world.content(outcome)).layers["model@best"].predictions
    assert predictions is not None
    assert (predictions.stage, predictions.classes) == ("best", ("cat",))


async def test_without_annotations_only_the_images_come_and_no_class_matters(world: World) -> None:
    content = await world.pictures([[YAK], [CAT]])
    source = await world.version(await with_layer(world, content, "model@best", [YAK]))

    outcome = await copied(world, source, annotations=False)

    result = await world.content(outcome)
    assert (result.image_count(), dict(result.layers)) == (2, {})


async def test_all_images_can_be_put_to_one_use(world: World) -> None:
    source = await world.version(await world.pictures([[CAT], [DOG]]))

    outcome = await copied(world, source, split="validation")

    assert draft_of(outcome).counts.splits == {Split.VALIDATION: 2}


async def test_an_import_of_a_projects_version_is_the_same_copy(world: World) -> None:
    source = await world.version(await world.pictures([[KITTY, YAK], [DOG]]))
    asked = ImportParameters.model_validate(
        {"dataset": "taken", "source": {"project": "other", "ref": "a"}, "unknown_classes": "ignore", "split": "test"}
    )
    work = world.work(asked, {"/source/ref": source})

    imported = await copy(work, library=world.library, blobs=world.blobs, database=world.database)

    same = await copied(world, source, unknown_classes="ignore", split="test")
    assert draft_of(imported) == draft_of(same)


async def test_it_runs_twice_with_the_same_outcome(world: World) -> None:
    source = await world.version(await world.pictures([[KITTY, YAK]]))

    first, second = [await copied(world, source, unknown_classes="ignore") for _ in range(2)]

    assert first == second


async def test_another_kind_of_project_is_warned_of(world: World) -> None:
    other = Project(id=new_id(), name="other", object_type=ObjectType.INSTANCE_SEGMENTATION, created_at=NOON)
    await world.database.documents(Project).add(other)
    version = await world.database.documents(Version).get(await world.version(await world.pictures([[CAT]])))
    foreign = version.model_copy(update={"id": new_id(), "project": other.id, "dataset": new_id()})
    await world.database.documents(Version).add(foreign)

    outcome = await copied(world, foreign.id)

    assert outcome.warnings == ("The source is of a project for instance_segmentation, this one is for detection.",)
