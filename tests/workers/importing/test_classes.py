"""Classes of an import: known, under another name, or unknown."""

from typing import Any

import orjson

from schemas.outcomes import Outcome
from tests.workers.imports import Place
from tests.workers.pictures import a_jpeg, a_voc_file, a_voc_folder, an_object
from workers.image_pool import ImagePool


def kinds(outcome: Outcome, report: Any) -> dict[str, int]:  # noqa: ANN401 - JSON
    assert outcome.report is not None
    found = report.summary["findings"]
    assert isinstance(found, dict)
    return found


async def test_an_alias_becomes_the_main_name(place: Place, pool: ImagePool) -> None:
    await place.knows("animal", aliases=("cat",))

    outcome = await place.imported(pool, a_voc_folder(place.folder / "voc"), unknown_classes="stop")

    rows = await place.rows(outcome)
    assert {row.class_name for row in rows["images/2.jpg"].layers["ground_truth"]} == {"animal"}


async def test_unknown_classes_stop_an_import_and_are_all_named(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    (folder / "annotations" / "2.xml").write_text(a_voc_file(an_object("dog"), an_object("cow"), an_object("dog")))

    outcome = await place.imported(pool, folder, unknown_classes="stop")

    assert outcome.records == ()
    assert outcome.problem is not None
    assert "unknown_classes" in outcome.problem.step
    assert [(error.pointer, error.detail) for error in outcome.problem.errors] == [
        ("annotations/1.xml", "the class 'cat' is unknown; it has 1 annotation"),
        ("annotations/2.xml", "the class 'cow' is unknown; it has 1 annotation"),
        ("annotations/2.xml", "the class 'dog' is unknown; it has 2 annotations"),
    ]


async def test_unknown_classes_are_ignored_and_counted_if_so_asked(place: Place, pool: ImagePool) -> None:
    outcome = await place.imported(pool, a_voc_folder(place.folder / "voc"), unknown_classes="ignore")

    rows = await place.rows(outcome)
    assert all(row.layers["ground_truth"] == () for row in rows.values())
    assert outcome.result.summary["unknown_classes"] == {"cat": 3}
    assert kinds(outcome, await place.report(outcome)) == {"unknown class": 1}


async def test_unknown_classes_are_added_if_so_asked(place: Place, pool: ImagePool) -> None:
    outcome = await place.imported(pool, a_voc_folder(place.folder / "voc"), unknown_classes="add")

    assert [entry.name for entry in outcome.new_classes] == ["cat"]


async def test_a_class_of_coco_that_nobody_knows_stops_the_import(place: Place, pool: ImagePool) -> None:
    folder = place.folder / "coco"
    folder.mkdir()
    (folder / "0.jpg").write_bytes(a_jpeg())
    document = {
        "images": [{"id": 0, "file_name": "0.jpg"}],
        "categories": [{"id": 1, "name": "yeti"}],
        "annotations": [{"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 2, 3, 4]}],
    }
    (folder / "coco-annotations.json").write_bytes(orjson.dumps(document))

    outcome = await place.imported(pool, folder, unknown_classes="stop")

    assert outcome.problem is not None
    assert "'yeti'" in outcome.problem.errors[0].detail
