"""What is read of Label Studio's tasks, and what is written for it."""

import math
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.annotations import GROUND_TRUTH
from schemas.errors import Invalid
from schemas.splits import Split
from storage.datasets.rows import AnnotationRow, AssetRow, ImageRow
from tests.workers.formats.round_trips import write
from workers.formats.format import Labels, Reading
from workers.formats.label_studio_shapes import SHAPES
from workers.formats.listing import list_files
from workers.formats.oriented import corners_of
from workers.formats.registry import detect

IMAGE = ImageRow(b"", width=200, height=100)
BOX = {"x": 10, "y": 20, "width": 5, "height": 10, "rotation": 0}


def a_region(kind: str = "rectangle", value: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    labeled = {**(BOX if value is None else value), f"{kind}labels": ["Cat"]}
    return {"type": f"{kind}labels", "from_name": kind, "to_name": "image", "value": labeled, **more}


def a_task(*annotations: dict[str, Any], image: str = "/data/upload/3/0123abcd-a.jpg", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {"id": 1, "data": {"image": image}, "annotations": list(annotations), **more}


def work(*results: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {"result": list(results), **more}


def read(folder: Path, content: Any, *images: str) -> Reading:  # noqa: ANN401 - any JSON
    for image in images or ("a.jpg",):
        (folder / image).touch()
    (folder / "tasks.json").write_bytes(orjson.dumps(content))
    listing = list_files(folder)
    form = detect(listing)
    assert form.name == "label-studio"
    reading = form.read(listing)
    return reading._replace(records=tuple(reading.records))


def labels_of(folder: Path, reading: Reading, image: ImageRow = IMAGE) -> Labels:
    (record,) = reading.records
    assert reading.parse_part is not None
    assert record.part is not None
    return reading.parse_part(folder / "tasks.json", name="tasks.json", image=image, part=record.part)


def test_boxes_are_percents_of_the_displayed_picture(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, read(tmp_path, [a_task(work(a_region()))]))

    assert labels.annotations == (AnnotationRow("cat", (20.0, 20.0, 10.0, 10.0)),)
    assert labels.displayed


@pytest.mark.parametrize("pixel", range(1, 120))
def test_whole_pixels_come_back_whole(pixel: int) -> None:
    value = {"x": 0, "y": pixel / 120 * 100, "width": 5, "height": pixel * 100 / 120}

    row = SHAPES["rectangle"](value, (160, 120))

    assert row is not None
    assert row.box == (0.0, float(pixel), 8.0, float(pixel))


def test_boxes_are_turned_about_their_top_left_corner(tmp_path: Path) -> None:
    turned = a_region(value={**BOX, "rotation": 30})

    (row,) = labels_of(tmp_path, read(tmp_path, [a_task(work(turned))])).annotations

    assert row.rotation == pytest.approx(math.radians(30))
    assert row.box is not None
    assert corners_of(row.box, row.rotation)[:2] == pytest.approx((20.0, 20.0))
    assert row.box[2:] == (10.0, 10.0)


def test_answers_about_a_region_are_its_attributes_and_others_the_images(tmp_path: Path) -> None:
    about = {"type": "choices", "from_name": "colour", "id": "r1", "value": {"choices": ["red"]}}
    whole = {"type": "choices", "from_name": "weather", "id": "x", "value": {"choices": ["rain", "wind"]}}
    rating = {"type": "rating", "from_name": "stars", "value": {"rating": 4}}

    labels = labels_of(tmp_path, read(tmp_path, [a_task(work(a_region(id="r1"), about, whole, rating))]))

    assert labels.annotations[0].attributes == '{"colour":"red"}'
    assert labels.attributes == '{"stars":4,"weather":["rain","wind"]}'


def test_ellipses_become_polygons_and_that_is_told(tmp_path: Path) -> None:
    ellipse = a_region("ellipse", {"x": 50, "y": 50, "radiusX": 10, "radiusY": 10, "rotation": 0})

    labels = labels_of(tmp_path, read(tmp_path, [a_task(work(ellipse))]))

    assert labels.annotations[0].box == pytest.approx((80.0, 40.0, 40.0, 20.0))
    assert [finding.kind for finding in labels.findings] == ["ellipses"]


def test_several_annotators_are_kept_with_their_names(tmp_path: Path) -> None:
    first, second = work(a_region(), completed_by=7), work(a_region(), completed_by={"id": 8, "email": "b@c.org"})

    labels = labels_of(tmp_path, read(tmp_path, [a_task(first, second)]))

    assert [row.author for row in labels.annotations] == ["7", "b@c.org"]
    assert [finding.kind for finding in labels.findings] == ["several annotators"]


def test_what_is_marked_as_ground_truth_counts_alone(tmp_path: Path) -> None:
    first, second = work(a_region(), completed_by=7), work(completed_by=8, ground_truth=True)

    labels = labels_of(tmp_path, read(tmp_path, [a_task(first, second)]))

    assert labels.annotated
    assert labels.annotations == ()
    assert [finding.kind for finding in labels.findings] == ["not ground truth"]


@pytest.mark.parametrize("annotations", [[], [work(a_region(), was_cancelled=True)]])
def test_a_task_without_work_is_not_annotated(tmp_path: Path, annotations: list[dict[str, Any]]) -> None:
    assert not labels_of(tmp_path, read(tmp_path, [a_task(*annotations)])).annotated


def test_predictions_are_layers_named_after_their_models(tmp_path: Path) -> None:
    found = work(a_region(), a_region(score=0.25), model_version="my model v1", score=0.5)

    labels = labels_of(tmp_path, read(tmp_path, [a_task(predictions=[found])]))

    assert not labels.annotated
    assert [row.confidence for row in labels.layers["my-model-v1"]] == [0.5, 0.25]
    assert [finding.kind for finding in labels.findings] == ["predictions"]


def test_ids_of_ours_come_back_each_once(tmp_path: Path) -> None:
    same = a_region(id="0" * 31 + "1")

    labels = labels_of(tmp_path, read(tmp_path, [a_task(work(same, completed_by=1), work(same, completed_by=2))]))

    assert [row.id for row in labels.annotations] == [bytes(15) + b"\1", None]
    assert "repeated id" in {finding.kind for finding in labels.findings}


def test_coordinates_of_a_picture_that_was_not_turned_are_turned_with_it(tmp_path: Path) -> None:
    region = a_region(original_width=100, original_height=200)
    turned = ImageRow(b"", width=200, height=100, orientation=6)

    labels = labels_of(tmp_path, read(tmp_path, [a_task(work(region))]), turned)

    assert not labels.displayed
    assert labels.size == (100, 200)
    assert labels.annotations[0].box == (10.0, 40.0, 5.0, 20.0)


def test_the_short_form_is_read_as_well(tmp_path: Path) -> None:
    task = {"id": 1, "image": "/data/upload/0123abcd-a.jpg", "label": [{**BOX, "rectanglelabels": ["cat"]}]}

    labels = labels_of(tmp_path, read(tmp_path, [{**task, "annotator": 3}]))

    assert [(row.class_name, row.author) for row in labels.annotations] == [("cat", "3")]


@pytest.mark.parametrize(
    "image",
    [
        *("a.jpg", "images/a.jpg", "/data/local-files/?d=some/a.jpg", "s3://bucket/a.jpg", "http://host/a.jpg?t=1"),
        *("/data/upload/1/0123abcd-a.jpg", "file:///home/a.jpg"),
    ],
)
def test_images_are_found_by_what_tasks_call_them(tmp_path: Path, image: str) -> None:
    (record,) = read(tmp_path, [a_task(image=image)]).records

    assert record.image == "a.jpg"
    assert record.part is not None


def test_a_task_about_an_image_that_is_not_there_is_told(tmp_path: Path) -> None:
    reading = read(tmp_path, [a_task(image="b.jpg")])

    assert {finding.kind for finding in reading.findings} == {"image missing", "no entry"}


@pytest.mark.parametrize(
    ("result", "pointer"),
    [
        (a_region(value={**BOX, "x": "left"}), ".value.x"),
        (a_region(value={**BOX, "width": -1}), ".value.width"),
        (a_region("polygon", {"points": [[1, 2], [3]]}), ".value.points[1]"),
        (a_region("polygon", {"points": [[1, 2], [3, 4]]}), ".value.points"),
        (a_region("brush", {"format": "rle", "rle": [1, 2]}), ".value.rle"),
        (a_region("brush", {"format": "rle", "rle": [400]}), ".value.rle"),
        (a_region(score=2), ".score"),
        (a_region(meta={"ymir": {"area": "wide"}}), ".meta.ymir.area"),
    ],
)
def test_what_is_wrong_is_named_with_its_path(tmp_path: Path, result: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        labels_of(tmp_path, read(tmp_path, [a_task(work(a_region(), result))]))

    (fault,) = caught.value.faults
    assert fault.pointer.startswith("tasks.json: [0].annotations[0].result")
    assert fault.pointer.endswith(pointer)


def test_the_score_of_a_prediction_is_from_0_to_1(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        labels_of(tmp_path, read(tmp_path, [a_task(predictions=[work(a_region(), score=87.5)])]))

    assert [fault.pointer for fault in caught.value.faults] == ["tasks.json: [0].predictions[0].score"]


def test_pre_annotations_are_predictions_of_a_task_for_each_image(tmp_path: Path) -> None:
    row = AnnotationRow("dog", (10.0, 15.0, 20.0, 15.0), id=b"\1" * 16)
    image = ImageRow(b"\0" * 32, "a.jpg", 40, 30, 1, 3)

    write("ls_json", [AssetRow(image, Split.NONE, {GROUND_TRUTH: (row,)})], tmp_path / "there", tmp_path)

    task = orjson.loads((tmp_path / "there" / "annotations" / "a.json").read_bytes())
    assert task["data"]["image"] == "/data/local-files/?d=images/a.jpg"
    ((result,),) = [prediction["result"] for prediction in task["predictions"]]
    assert result["id"] == "01" * 16
    assert result["value"] == {
        "x": 25.0,
        "y": 50.0,
        "width": 50.0,
        "height": 50.0,
        "rotation": 0.0,
        "rectanglelabels": ["dog"],
    }
    assert b'<RectangleLabels name="rectangle"' in (tmp_path / "there" / "label-config.xml").read_bytes()


def test_there_may_be_a_file_for_each_of_very_many_tasks(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    for number in range(1_100):
        (tmp_path / f"{number}.jpg").touch()
        (tmp_path / "tasks" / f"{number}.json").write_bytes(orjson.dumps(a_task(work(), image=f"{number}.jpg")))
    listing = list_files(tmp_path)

    form = detect(listing)
    records = [*form.read(listing).records]

    assert form.name == "label-studio"
    assert sum(record.part is not None for record in records) == 1_100
