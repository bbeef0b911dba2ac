"""Evaluate: figures and marks of a layer of predictions."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from schemas.annotations import ATTRIBUTES, ObjectType
from schemas.errors import Invalid
from schemas.evaluations import Recall
from schemas.outcomes import EvaluationRecord
from schemas.projects import Project
from storage.datasets.content import Content
from storage.datasets.rows import AnnotationRow
from tests.factories import PROJECT
from tests.workers.evaluation.handled import (
    curves_of,
    evaluated,
    evaluation_of,
    label_errors_of,
    marks_of,
    painted,
    table_of,
    with_layer,
)
from tests.workers.loop_world import CAT, DOG, World, a_world

SURE = CAT._replace(confidence=0.9)
HALF = CAT._replace(confidence=0.5)
UNSURE = CAT._replace(confidence=0.1)
ASTRAY = AnnotationRow(class_name="cat", box=(60.0, 60.0, 5.0, 5.0), confidence=0.8)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


async def a_content(world: World) -> Content:
    truths = await world.pictures([[CAT], [CAT, DOG], [], [CAT], None])
    return await with_layer(world, truths, "model", {0: [SURE], 1: [UNSURE], 2: [ASTRAY], 4: [SURE]})


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

    assert "'ground_truth', 'model'" in caught.value.step


async def test_layers_without_a_common_image_are_refused(world: World) -> None:
    content = await with_layer(world, await world.pictures([[CAT], None]), "model", {1: [SURE]})

    with pytest.raises(Invalid, match="No image is covered by both"):
        await evaluated(world, content)


async def test_predictions_without_confidence_count_as_sure_and_that_is_told(world: World) -> None:
    content = await with_layer(world, await world.pictures([[CAT]]), "model", {0: [CAT]})

    outcome = await evaluated(world, content)

    assert evaluation_of(outcome).overall.true_positives == 1
    assert any("taken as 1: 1 prediction." in warning for warning in outcome.warnings)


async def test_several_layers_are_measured_on_the_images_that_all_of_them_cover(world: World) -> None:
    content = await with_layer(world, await world.pictures([[CAT], [CAT], [CAT]]), "one", {0: [SURE], 1: [SURE]})
    content = await with_layer(world, content, "two", {1: [ASTRAY], 2: [SURE]})

    outcome = await evaluated(world, content, layer=None, layers=["one", "two"])

    found = [record.evaluation for record in outcome.records if isinstance(record, EvaluationRecord)]
    assert [(one.layer, one.images, one.overall.true_positives) for one in found] == [("one", 1, 1), ("two", 1, 0)]
    assert found[0].id != found[1].id
    assert any("Not covered by all the layers" in warning for warning in outcome.warnings)


async def test_recall_is_broken_down_by_an_attribute_of_annotations(world: World) -> None:
    whole, cut = (CAT._replace(attributes=f'{{"cut":{value}}}') for value in ("false", "true"))
    content = await world.pictures([[whole, DOG], [cut], [cut]])
    content = await with_layer(world, content, "model", {0: [SURE], 1: [SURE], 2: []})

    outcome = await evaluated(world, content, by_annotation="cut")

    assert (await table_of(world, outcome)).recall_by_value == {
        "true": Recall(ground_truths=2, found=1),
        "false": Recall(ground_truths=1, found=1),
    }


async def test_difficult_objects_count_by_coco_and_not_by_pascal(world: World) -> None:
    difficult = CAT._replace(attributes='{"difficult":1}')
    content = await with_layer(world, await world.pictures([[CAT], [difficult]]), "model", {0: [SURE], 1: []})

    overall = evaluation_of(await evaluated(world, content)).overall

    assert overall.ap_voc == 1
    assert overall.ap50 == pytest.approx(51 / 101)


async def test_a_second_hit_is_a_miss_by_pascal(world: World) -> None:
    again = SURE._replace(box=(1.0, 2.0, 10.0, 11.0), confidence=0.95)
    content = await with_layer(world, await world.pictures([[CAT], [CAT]]), "model", {0: [SURE, again], 1: [HALF]})

    overall = evaluation_of(await evaluated(world, content)).overall

    assert overall.ap_voc == pytest.approx(0.5 + 0.5 * 2 / 3)


async def test_counts_by_confidence_are_those_that_an_evaluation_there_has(world: World) -> None:
    content = await a_content(world)
    curves = (await curves_of(world, await evaluated(world, content))).classes[0]

    for confidence in (0.0, 0.1, 0.11, 0.8, 0.9, 0.91):
        there = evaluation_of(await evaluated(world, content, confidence=confidence)).overall
        place = round(confidence * 100)
        assert curves.true_positives[place] == there.true_positives
        assert curves.false_positives[place] == there.false_positives


async def test_the_best_f1_says_from_which_confidence_on(world: World) -> None:
    content = await with_layer(world, await world.pictures([[CAT], [CAT]]), "model", {0: [SURE], 1: [UNSURE, ASTRAY]})

    overall = evaluation_of(await evaluated(world, content)).overall

    (cat,) = (await table_of(world, await evaluated(world, content))).classes
    assert (cat.best_f1, cat.best_confidence) == pytest.approx((0.8, 0.1))
    assert (overall.best_f1, overall.best_confidence) == pytest.approx((0.8, 0.1))
    assert (cat.precision, cat.recall, cat.f1) == (0.5, 0.5, 0.5)


async def test_confusions_have_each_ground_truth_and_each_sure_prediction_once(world: World) -> None:
    as_dog = SURE._replace(class_name="dog")
    content = await with_layer(
        world, await world.pictures([[CAT], [CAT], [DOG]]), "model", {0: [SURE], 1: [as_dog], 2: [ASTRAY, UNSURE]}
    )

    confusions = (await curves_of(world, await evaluated(world, content))).confusions

    assert confusions.classes == ("cat", "dog")
    assert confusions.cells == ((0, 0, 1), (0, 1, 1), (1, 2, 1), (2, 0, 1))


async def test_planted_label_errors_come_first_each_as_what_it_is(world: World) -> None:
    right = [[CAT, DOG] for _ in range(20)]
    found = [[SURE, DOG._replace(box=(50.0, 6.0, 8.0, 4.0), confidence=0.2)] for _ in right]
    labels = [[row, DOG._replace(box=(50.0, 6.0, 8.0, 4.0))] for row, _ in right]
    labels[3] = labels[3][1:]
    labels[5][0] = CAT._replace(class_name="dog")
    labels[7][0] = CAT._replace(box=(6.0, 7.0, 10.0, 12.0))
    labels[9].append(CAT._replace(box=(80.0, 60.0, 10.0, 12.0)))
    content = await with_layer(world, await world.pictures(labels), "model", dict(enumerate(found)))

    outcome = await evaluated(world, content)

    errors = await label_errors_of(world, outcome)
    assets = {row.image.file_name: row.asset async for row in world.library.rows(content)}
    planted = {(one.kind.value, one.asset): one for one in errors[:4]}
    kinds = {3: "overlooked", 5: "swapped", 7: "misplaced", 9: "spurious"}
    assert set(planted) == {(kind, assets[f"{number}.jpg"]) for number, kind in kinds.items()}
    swapped = planted["swapped", assets["5.jpg"]]
    assert (swapped.class_name, swapped.predicted_class, swapped.iou) == ("dog", "cat", 1.0)
    assert [one.score for one in errors] == sorted((one.score for one in errors), reverse=True)
    assert outcome.result.summary["likely_label_errors"] == len(errors) == 4


async def test_pixels_are_counted_where_the_ground_truth_says_what_they_are(world: World) -> None:
    truths = [painted("cat", columns=slice(0, 50)), painted("dog", columns=slice(50, 80))]
    found = [
        painted("cat", columns=slice(0, 60), confidence=0.9),
        painted("dog", columns=slice(70, 100), confidence=0.9),
        painted("cat", columns=slice(0, 100), confidence=0.1),
    ]
    content = await with_layer(world, await world.pictures([truths, []]), "model", {0: found, 1: found})

    outcome = await evaluated(world, content, measure="semantic")

    overall, (cat, dog) = evaluation_of(outcome).overall, (await table_of(world, outcome)).classes
    assert overall.pixel_accuracy == 60 / 80
    assert (cat.accuracy, dog.accuracy, overall.accuracy) == pytest.approx((1, 1 / 3, 2 / 3))
    assert (cat.iou, dog.iou, overall.iou) == pytest.approx((5 / 6, 1 / 3, 7 / 12))
    assert (await curves_of(world, outcome)).confusions.cells == ((0, 0, 4000), (1, 0, 800), (1, 1, 800), (1, 2, 800))


async def test_later_masks_cover_earlier_ones_and_marks_are_by_class_and_image(world: World) -> None:
    truths = [painted("cat", columns=slice(0, 100)), painted("dog", columns=slice(0, 50))]
    found = [painted("cat", columns=slice(50, 100), confidence=0.9), painted("dog", columns=slice(0, 10))]
    content = await with_layer(world, await world.pictures([truths]), "model", {0: found})

    outcome = await evaluated(world, content, measure="semantic")

    assert await marks_of(world, outcome) == [
        ("ground_truth", "cat", "mtp", 1.0),
        ("ground_truth", "dog", "fn", 0.2),
        ("model", "cat", "tp", 1.0),
        ("model", "dog", "fp", 0.2),
    ]


async def test_masks_of_different_sizes_on_one_image_are_refused(world: World) -> None:
    small = painted("cat", columns=slice(0, 10))
    assert small.mask is not None
    small = small._replace(mask=small.mask._replace(height=100, width=80))
    content = await with_layer(
        world, await world.pictures([[painted("cat", columns=slice(0, 10))]]), "model", {0: [small]}
    )

    with pytest.raises(Invalid, match="100 x 80 and 80 x 100"):
        await evaluated(world, content, measure="semantic")


async def test_what_has_no_mask_is_not_measured_by_masks_and_that_is_told(world: World) -> None:
    mask = painted("cat", columns=slice(0, 10))
    content = await with_layer(
        world, await world.pictures([[CAT, mask]]), "model", {0: [mask._replace(confidence=1.0)]}
    )

    outcome = await evaluated(world, content, measure="masks")

    assert evaluation_of(outcome).overall.ap == pytest.approx(1)
    assert any("1 annotation of the layer 'ground_truth' without a mask" in warning for warning in outcome.warnings)


async def test_an_evaluation_without_any_annotation_has_nothing_to_measure(world: World) -> None:
    content = await with_layer(world, await world.pictures([[], []]), "model", {0: [], 1: []})

    for measure in ("boxes", "masks", "keypoints", "semantic"):
        outcome = await evaluated(world, content, measure=measure)
        assert (evaluation_of(outcome).images, evaluation_of(outcome).overall.ap) == (2, None)


@pytest.mark.parametrize("by", ["by", "by_annotation"])
async def test_pixels_are_not_broken_down(world: World, by: str) -> None:
    content = await with_layer(world, await world.pictures([[]]), ATTRIBUTES, {0: []})
    content = await with_layer(world, content, "model", {0: []})

    with pytest.raises(Invalid, match="not broken down"):
        await evaluated(world, content, measure="semantic", **{by: "light"})


async def test_keypoints_with_too_few_sigmas_are_refused(world: World) -> None:
    pointed = CAT._replace(keypoints=(1.0, 2.0, 2.0, 3.0, 4.0, 2.0))
    content = await with_layer(world, await world.pictures([[pointed]]), "model", {0: [pointed]})

    with pytest.raises(Invalid, match="1 sigmas, but objects with 2 keypoints"):
        await evaluated(world, content, measure="keypoints", sigmas=[0.1])


async def test_a_keypoint_that_a_prediction_lacks_is_missed(world: World) -> None:
    whole = CAT._replace(keypoints=(1.0, 2.0, 2.0, 10.0, 14.0, 2.0))
    half = CAT._replace(keypoints=whole.keypoints[:3], confidence=0.9)
    content = await with_layer(world, await world.pictures([[whole], [whole]]), "model", {0: [whole], 1: [half]})

    overall = evaluation_of(await evaluated(world, content, measure="keypoints")).overall

    # Half of the points are right: OKS 0.5 and a little.
    assert overall.ap50 == pytest.approx(1)
    assert overall.ap75 == pytest.approx(51 / 101)


async def test_classes_that_have_no_place_in_the_image_are_measured_only_when_that_is_asked_for(world: World) -> None:
    projects = world.database.documents(Project)
    project = await projects.get(PROJECT)
    await projects.replace(project.successor(object_type=ObjectType.CLASSIFICATION), was=project)
    content = await with_layer(world, await world.pictures([[CAT]]), "model", {0: [SURE]})

    with pytest.raises(Invalid, match="no place in the image"):
        await evaluated(world, content)
    assert evaluation_of(await evaluated(world, content, measure="boxes")).overall.ap == pytest.approx(1)
