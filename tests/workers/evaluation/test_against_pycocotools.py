"""What the task records equals what pycocotools makes of the same annotations."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.evaluations import Evaluation, Measure
from schemas.model_parameters import EvaluateParameters
from schemas.outcomes import EvaluationRecord
from storage.datasets.content import LayerContent
from storage.datasets.rows import ImageRow
from storage.datasets.segments import build_segment
from storage.datasets.selections import all_rows
from tests.workers.evaluation.coco_data import Rows, some_data, stats
from tests.workers.loop_world import World, a_world
from workers.handlers.evaluate import evaluate
from workers.work import Work

EQUAL = 1e-6
FEW = (Measure.BOXES, Measure.MASKS, Measure.KEYPOINTS)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


async def recorded(world: World, truths: Rows, found: Rows, **asked: object) -> tuple[Evaluation, Rows, Rows]:
    """Return the evaluation, and the annotations by image in the order of the assets' ids, as pycocotools is to see."""
    content = await world.pictures(truths)
    numbers = {row.asset: int(row.image.file_name[:-4]) async for row in world.library.rows(content)}
    order = [numbers[asset] for asset in sorted(numbers)]
    images = [ImageRow(bytes.fromhex(asset)) for asset in sorted(numbers)]
    rows = [found[number] for number in order]
    segment = await world.library.keep_segment(build_segment(images, rows, layer="model", described=False))
    content = content.with_layer("model", LayerContent({segment: all_rows(len(rows))}))
    parameters = EvaluateParameters.model_validate({"source": "any", "layer": "model", **asked})
    work: Work[EvaluateParameters] = world.work(parameters, {"/source": await world.version(content)})
    (record,) = (await evaluate(work, library=world.library, blobs=world.blobs, database=world.database)).records
    assert isinstance(record, EvaluationRecord)
    return record.evaluation, [truths[number] for number in order], rows


def assert_equal(evaluation: Evaluation, expected: dict[str, float | None]) -> None:
    told = {name: getattr(evaluation.overall, name) for name in expected}
    assert told == {
        name: None if value is None else pytest.approx(value, abs=EQUAL) for name, value in expected.items()
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("measure", FEW)
async def test_the_figures_are_those_of_pycocotools(world: World, measure: Measure, seed: int) -> None:
    evaluation, truths, found = await recorded(world, *some_data(measure, seed), measure=measure)

    expected = stats(measure, truths, found)
    assert expected["ap"]
    assert_equal(evaluation, expected)


@pytest.mark.parametrize("measure", FEW)
async def test_no_predictions_at_all_are_worth_nothing(world: World, measure: Measure) -> None:
    truths, _ = some_data(measure, 1)

    evaluation, truths, found = await recorded(world, truths, [[] for _ in truths], measure=measure)

    assert evaluation.overall.ap == 0
    assert_equal(evaluation, stats(measure, truths, found))


@pytest.mark.parametrize("measure", FEW)
async def test_without_ground_truths_there_is_nothing_to_measure(world: World, measure: Measure) -> None:
    _, found = some_data(measure, 1)

    evaluation, truths, found = await recorded(world, [[] for _ in found], found, measure=measure)

    assert evaluation.overall.ap is None
    assert_equal(evaluation, stats(measure, truths, found))


@pytest.mark.parametrize("measure", FEW)
async def test_nothing_but_crowds_is_nothing_to_measure(world: World, measure: Measure) -> None:
    truths, found = some_data(measure, 2)
    crowds = [[row._replace(crowd=True) for row in rows] for rows in truths]

    evaluation, crowds, found = await recorded(world, crowds, found, measure=measure)

    assert evaluation.overall.ap is None
    assert_equal(evaluation, stats(measure, crowds, found))


async def test_sigmas_may_be_given(world: World) -> None:
    sigmas = [0.05] * 17

    evaluation, truths, found = await recorded(
        world, *some_data(Measure.KEYPOINTS, 3), measure=Measure.KEYPOINTS, sigmas=sigmas
    )

    expected = stats(Measure.KEYPOINTS, truths, found, sigmas=sigmas)
    assert expected["ap"] != stats(Measure.KEYPOINTS, truths, found)["ap"]
    assert_equal(evaluation, expected)


async def test_the_boxes_of_masks_are_measured_beside_them(world: World) -> None:
    evaluation, *_ = await recorded(world, *some_data(Measure.MASKS, 4), measure=Measure.MASKS)

    boxed, *_ = await recorded(world, *some_data(Measure.MASKS, 4), measure=Measure.BOXES)
    assert evaluation.overall.ap_boxes != evaluation.overall.ap
    assert evaluation.overall.ap_boxes == pytest.approx(boxed.overall.ap)
