"""Evaluate: figures and marks of a layer of predictions."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from schemas.annotations import ATTRIBUTES
from schemas.errors import Invalid
from schemas.evaluations import Evaluation, EvaluationTable
from schemas.model_parameters import EvaluateParameters
from schemas.outcomes import EvaluationRecord, Outcome
from storage.datasets.content import Content, LayerContent
from storage.datasets.rows import AnnotationRow, ImageRow
from storage.datasets.segments import build_segment
from storage.datasets.selections import all_rows
from tests.workers.loop_world import CAT, DOG, World, a_world
from workers.handlers.evaluate import evaluate
from workers.work import Work

SURE = CAT._replace(confidence=0.9)
UNSURE = CAT._replace(confidence=0.1)
ASTRAY = AnnotationRow(class_name="cat", box=(60.0, 60.0, 5.0, 5.0), confidence=0.8)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


async def with_layer(world: World, content: Content, name: str, rows: dict[int, list[AnnotationRow]]) -> Content:
    named = {row.image.file_name: row.image.asset async for row in world.library.rows(content)}
    images = [ImageRow(named[f"{number}.jpg"]) for number in rows]
    built = build_segment(images, list(rows.values()), layer=name, described=False)
    segment = await world.library.keep_segment(built)
    return content.with_layer(name, LayerContent({segment: all_rows(len(rows))}))


async def a_content(world: World) -> Content:
    truths = await world.pictures([[CAT], [CAT, DOG], [], [CAT], None])
    return await with_layer(world, truths, "model", {0: [SURE], 1: [UNSURE], 2: [ASTRAY], 4: [SURE]})


async def evaluated(world: World, content: Content, **changes: object) -> Outcome:
    asked = EvaluateParameters.model_validate({"source": "any", "layer": "model", **changes})
    work: Work[EvaluateParameters] = world.work(asked, {"/source": await world.version(content)})
    return await evaluate(work, library=world.library, blobs=world.blobs, database=world.database)


def evaluation_of(outcome: Outcome) -> Evaluation:
    (record,) = outcome.records
    assert isinstance(record, EvaluationRecord)
    return record.evaluation


async def table_of(world: World, outcome: Outcome) -> EvaluationTable:
    return EvaluationTable.model_validate_json(await world.blobs.get(evaluation_of(outcome).table.digest))


async def marks_of(world: World, outcome: Outcome) -> list[tuple[str, str, str, float | None]]:
    data = await world.blobs.get(evaluation_of(outcome).marks.digest)
    rows = pq.read_table(io.BytesIO(data)).to_pylist()
    return sorted((row["layer"], row["class"], row["mark"], row["iou"]) for row in rows)


async def test_only_images_that_both_layers_cover_count_and_the_rest_is_told(world: World) -> None:
    outcome = await evaluated(world, await a_content(world))

    assert evaluation_of(outcome).images == 3
    summary = outcome.result.summary
    assert summary["images_without_predictions"] == 1
    assert summary["images_without_ground_truth"] == 1
    assert any("2 of 5 images" in warning for warning in outcome.warnings)


async def test_counts_are_those_above_the_confidence(world: World) -> None:
    outcome = await evaluated(world, await a_content(world), confidence=0.3)

    cat, dog = (await table_of(world, outcome)).classes
    assert (cat.true_positives, cat.false_positives, cat.false_negatives) == (1, 1, 1)
    assert (dog.true_positives, dog.false_positives, dog.false_negatives) == (0, 0, 1)
    assert dog.ap == 0


async def test_the_mean_is_over_the_classes_with_ground_truth(world: World) -> None:
    content = await with_layer(world, await world.pictures([[CAT]]), "model", {0: [SURE, DOG._replace(confidence=0.5)]})

    outcome = await evaluated(world, content)

    assert evaluation_of(outcome).overall.ap == pytest.approx(1)
    assert [one.ap for one in (await table_of(world, outcome)).classes] == [pytest.approx(1), None]


async def test_each_annotation_has_its_mark(world: World) -> None:
    outcome = await evaluated(world, await a_content(world))

    assert await marks_of(world, outcome) == [
        ("ground_truth", "cat", "fn", None),
        ("ground_truth", "cat", "mtp", 1.0),
        ("ground_truth", "dog", "fn", None),
        ("model", "cat", "fp", None),
        ("model", "cat", "tp", 1.0),
    ]


async def test_marks_name_the_match_both_ways(world: World) -> None:
    outcome = await evaluated(world, await a_content(world))

    data = await world.blobs.get(evaluation_of(outcome).marks.digest)
    rows = {row["annotation"]: row for row in pq.read_table(io.BytesIO(data)).to_pylist()}
    matched = [row for row in rows.values() if row["match"] is not None]
    assert len(matched) == 2
    assert all(rows[row["match"]]["match"] == row["annotation"] for row in matched)
    assert matched[0]["asset"] == matched[1]["asset"]


async def test_figures_are_broken_down_by_the_values_of_an_attribute(world: World) -> None:
    content = await with_layer(world, await world.pictures([[CAT], [CAT], [CAT]]), "model", {0: [SURE], 1: [], 2: []})
    day, night = AnnotationRow(attributes='{"light":"day"}'), AnnotationRow(attributes='{"light":"night"}')
    content = await with_layer(world, content, ATTRIBUTES, {0: [day], 1: [night]})

    outcome = await evaluated(world, content, by="light")

    by_value = (await table_of(world, outcome)).by_value
    assert {value: figures.ap for value, figures in by_value.items()} == {"day": pytest.approx(1), "night": 0.0}
    assert any("Without the attribute 'light': 1 image." in warning for warning in outcome.warnings)


async def test_a_layer_that_is_missing_is_named_with_those_that_exist(world: World) -> None:
    with pytest.raises(Invalid, match="no layer 'other'") as caught:
        await evaluated(world, await a_content(world), layer="other")

    assert "ground_truth, model" in caught.value.step


async def test_layers_without_a_common_image_are_refused(world: World) -> None:
    content = await with_layer(world, await world.pictures([[CAT], None]), "model", {1: [SURE]})

    with pytest.raises(Invalid, match="No image is covered by both"):
        await evaluated(world, content)


async def test_predictions_without_confidence_count_as_sure_and_that_is_told(world: World) -> None:
    content = await with_layer(world, await world.pictures([[CAT]]), "model", {0: [CAT]})

    outcome = await evaluated(world, content)

    assert evaluation_of(outcome).overall.true_positives == 1
    assert any("taken as 1: 1 prediction." in warning for warning in outcome.warnings)
