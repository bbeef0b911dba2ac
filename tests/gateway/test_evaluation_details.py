"""What is beside an evaluation's table, over HTTP: of evaluations that the task itself made."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gateway.comparing import f1_interval
from schemas.annotations import GROUND_TRUTH
from schemas.evaluations import Evaluation
from schemas.model_parameters import EvaluateParameters
from schemas.outcomes import EvaluationRecord
from schemas.splits import Split
from schemas.tasks import Input
from storage.datasets.content import LayerContent, whole_segment
from storage.datasets.mark_counts import MarkCounts
from storage.datasets.rows import AnnotationRow, ImageRow
from storage.datasets.segments import build_segment
from storage.datasets.selections import all_rows
from tests.factories import NOON, a_kept_version, a_task
from tests.gateway.api import Api
from tests.gateway.world import PROJECT, World
from workers.handlers.evaluate import evaluate
from workers.work import Work

EVALUATIONS = f"/v1/projects/{PROJECT}/evaluations"
PLOTS = (
    *("pr_curve", "class_ap", "f1_confidence", "precision_confidence", "recall_confidence"),
    "confusion_matrix",
)
ROBIN = AnnotationRow("robin", (4.0, 6.0, 20.0, 30.0))
WREN = AnnotationRow("wren", (30.0, 6.0, 10.0, 10.0))
TIT = AnnotationRow("great tit $2^", (50.0, 6.0, 10.0, 10.0))
IMAGES = 30


def sure(row: AnnotationRow, confidence: float = 0.9) -> AnnotationRow:
    return row._replace(confidence=confidence)


@pytest.fixture
async def evaluations(world: World, tmp_path: Path) -> list[Evaluation]:
    """Two models: the second takes every second wren for a robin."""
    library = world.services.library
    images = [ImageRow(number.to_bytes(32), f"{number}.png", 64, 48) for number in range(IMAGES)]
    truths = build_segment(images, [[ROBIN, WREN, TIT]] * IMAGES, layer=GROUND_TRUTH, described=True)
    content = whole_segment(await library.keep_segment(truths), rows=IMAGES, layer=GROUND_TRUTH, split=Split.VALIDATION)
    for layer, step in (("good", IMAGES), ("bad", 2)):
        found = [
            [sure(ROBIN, 0.5), sure(WREN._replace(class_name="robin")) if number % step == 1 else sure(WREN), sure(TIT)]
            for number in range(IMAGES)
        ]
        built = build_segment([ImageRow(one.asset) for one in images], found, layer=layer, described=False)
        content = content.with_layer(layer, LayerContent({await library.keep_segment(built): all_rows(IMAGES)}))
    version = a_kept_version(await library.keep(content), project=world.project.id, dataset="pool", number=1)
    await world.add(version)
    asked = EvaluateParameters(source="pool", layers=("good", "bad"))
    given = Input(pointer="/source", ref="pool", version=version.id)
    task = a_task(project=world.project.id, parameters=asked, inputs=(given,))
    work = Work(task, asked, scratch=tmp_path, now=lambda: NOON)
    services = world.services
    outcome = await evaluate(work, library=library, blobs=services.blobs, database=services.database)
    made = [record.evaluation for record in outcome.records if isinstance(record, EvaluationRecord)]
    for evaluation in made:
        await world.add(evaluation)
    return made


async def test_counts_at_another_confidence_need_no_new_task(api: Api, evaluations: list[Evaluation]) -> None:
    path = f"{EVALUATIONS}/{evaluations[0].id}"

    here, there = await api.get(path), await api.get(f"{path}?confidence=0.6")
    problem = await api.get(f"{path}?confidence=0.605", expect=422)

    assert (here["overall"]["true_positives"], there["overall"]["true_positives"]) == (89, 59)
    assert there["confidence"] == 0.6
    assert there["overall"]["recall"] == pytest.approx(59 / 90)
    assert there["overall"]["ap"] == here["overall"]["ap"]
    robin = next(one for one in there["figures"]["classes"] if one["class_name"] == "robin")
    assert (robin["true_positives"], robin["false_positives"], robin["false_negatives"]) == (0, 1, 30)
    assert problem["errors"][0]["pointer"] == "?confidence"


async def test_curves_come_page_by_page(api: Api, evaluations: list[Evaluation]) -> None:
    path = f"{EVALUATIONS}/{evaluations[0].id}/curves"

    first = await api.get(f"{path}?limit=2")
    rest = await api.get(f"{path}?limit=2&cursor={first['next']}")
    wren = await api.get(f"{path}?class=wren")

    assert [one["class_name"] for one in first["items"] + rest["items"]] == ["great tit $2^", "robin", "wren"]
    assert rest["next"] is None
    assert [len(one["precision50"]) for one in wren["items"]] == [101]


async def test_what_was_taken_for_what_is_told(api: Api, evaluations: list[Evaluation]) -> None:
    confusions = await api.get(f"{EVALUATIONS}/{evaluations[1].id}/confusions")

    assert confusions["classes"] == ["great tit $2^", "robin", "wren"]
    assert confusions["cells"] == [[0, 0, 30], [1, 1, 30], [2, 1, 15], [2, 2, 15]]


async def test_likely_label_errors_are_listed_by_kind_and_page(api: Api, evaluations: list[Evaluation]) -> None:
    path = f"{EVALUATIONS}/{evaluations[1].id}/label-errors"

    first = await api.get(f"{path}?limit=10&kind=swapped")
    second = await api.get(f"{path}?limit=10&kind=swapped&cursor={first['next']}")
    others = await api.get(f"{path}?kind=overlooked&kind=spurious")

    assert (len(first["items"]), len(second["items"]), second["next"], others["items"]) == (10, 5, None, [])
    error = first["items"][0]
    assert (error["class_name"], error["predicted_class"], error["iou"]) == ("wren", "robin", 1.0)
    assert error["score"] == pytest.approx(0.9)
    assert len(error["annotation"]) == len(error["prediction"]) == 32


@pytest.mark.parametrize("name", PLOTS)
async def test_a_plot_is_the_same_picture_each_time(api: Api, evaluations: list[Evaluation], name: str) -> None:
    path = f"{EVALUATIONS}/{evaluations[1].id}/plots/{name}"

    first, again = [await (await api.raw("GET", path)).read() for _ in range(2)]
    drawn = await api.raw("GET", f"{path}?format=png")

    assert first == again
    assert first.startswith(b"<?xml")
    assert drawn.content_type == "image/png"
    picture = Image.open(io.BytesIO(await drawn.read())).convert("L")
    assert len(np.unique(np.asarray(picture))) > 2


async def test_a_plot_that_is_none_is_not_found_and_the_others_are_named(
    api: Api, evaluations: list[Evaluation]
) -> None:
    problem = await api.get(f"{EVALUATIONS}/{evaluations[0].id}/plots/pie", expect=404)

    assert "confusion_matrix" in problem["step"]


async def test_evaluations_of_an_older_release_say_that_they_have_no_curves(api: Api, world: World) -> None:
    evaluation = await world.evaluation(await world.version())

    for part in ("curves", "confusions", "label-errors", "plots/pr_curve"):
        problem = await api.get(f"{EVALUATIONS}/{evaluation.id}/{part}", expect=422)
        assert "Evaluate again" in problem["step"]


async def test_evaluations_are_compared_with_the_first(api: Api, evaluations: list[Evaluation]) -> None:
    good, bad = (one.id for one in evaluations)

    compared = await api.get(f"{EVALUATIONS}/compare?evaluation={good}&evaluation={bad}")
    again = await api.get(f"{EVALUATIONS}/compare?evaluation={good}&evaluation={bad}")

    gain = compared["gains"][1]
    assert compared["gains"][0] == {"ap": 0, "f1": 0, "f1_interval": None}
    assert (compared["is_paired"], again) == (True, compared)
    assert gain["f1"] == pytest.approx(2 * 75 / 180 - 2 * 89 / 180)
    low, high = gain["f1_interval"]
    assert low < gain["f1"] < high < 0
    wren = next(one for one in compared["classes"] if one["class_name"] == "wren")
    assert wren["ap_gain"][1] < 0 == wren["ap_gain"][0]


@pytest.mark.parametrize("query", ["", "evaluation=1", "evaluation={0}", "evaluation={0}&evaluation=" + "0" * 32])
async def test_a_comparison_needs_two_that_exist(api: Api, evaluations: list[Evaluation], query: str) -> None:
    await api.get(f"{EVALUATIONS}/compare?{query.format(evaluations[0].id)}", expect=422)


def counts(*rows: tuple[int, int, int]) -> MarkCounts:
    assets = [number.to_bytes(32) for number in range(len(rows))]
    return MarkCounts(assets, np.array(rows, np.int64))


def test_the_interval_of_a_difference_holds_zero_where_both_are_as_good() -> None:
    random = np.random.default_rng(1)
    hits = random.integers(0, 2, (2, 200))
    one, other = (counts(*((int(hit), 0, 1 - int(hit)) for hit in some)) for some in hits)

    low, high = f1_interval(one, other, images=200)
    same = f1_interval(one, one, images=200)

    assert low < 0 < high
    assert same == (0, 0)
