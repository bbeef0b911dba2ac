"""Exports: a version becomes an archive, and an import of it the same version's content."""

from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import orjson
import pytest

from schemas.datasets import Version
from schemas.errors import Invalid
from schemas.outcomes import Outcome
from schemas.schema import new_id
from schemas.splits import Split
from storage.datasets.rows import AnnotationRow, AssetRow, MaskRow
from tests.workers.exports import a_version, archive_of, boxes, exported, shapes
from tests.workers.imports import Place, draft_of
from tests.workers.pictures import a_jpeg
from workers.image_pool import ImagePool

NEAR = 1e-3


async def again(place: Place, pool: ImagePool, outcome: Outcome) -> dict[str, AssetRow]:
    """Import an export, and return the assets by id."""
    folder = Path(mkdtemp(dir=place.folder))
    (await archive_of(place, outcome)).extractall(folder)
    imported = await place.imported(pool, folder)
    return {row.asset: row for row in (await place.rows(imported)).values()}


async def rows_of(place: Place, version: Version) -> dict[str, AssetRow]:
    content = await place.library.content(version.digest)
    return {row.asset: row async for row in place.library.rows(content)}


def nearly(rows: tuple[AnnotationRow, ...]) -> list[tuple[Any, ...]]:
    """Return what is equal to annotations that say the same, as near as it matters."""
    return [tuple(_near(value) for value in row) for row in rows]


def _near(value: Any) -> Any:  # noqa: ANN401 - any value of a row
    if isinstance(value, MaskRow) or value is None or isinstance(value, (str, bytes, bool)):
        return value
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return tuple(pytest.approx(inner, abs=NEAR) for inner in value)
    return pytest.approx(value, abs=NEAR)


@pytest.mark.parametrize("format", ["voc", "coco"])
async def test_what_is_exported_is_imported_as_it_was(place: Place, pool: ImagePool, format: str) -> None:
    given = boxes() if format == "voc" else shapes()
    version = await a_version(
        place,
        ("images/a.jpg", 1, Split.TRAINING, given, '{"image_quality":0.5,"weather":"rain"}'),
        ("images/empty.jpg", 1, Split.VALIDATION, (), ""),
        ("images/unlabeled.jpg", 1, Split.NONE, None, ""),
        *((f"turned/{turn}.jpg", turn, Split.TEST, given, "") for turn in range(2, 9)),
    )
    before = await rows_of(place, version)

    after = await again(place, pool, await exported(place, version, format))

    assert after.keys() == before.keys()
    for asset, row in after.items():
        assert row.layers.keys() == before[asset].layers.keys()
        for name, annotations in row.layers.items():
            assert [tuple(row) for row in annotations] == nearly(before[asset].layers[name])
        assert row.split is before[asset].split or "unlabeled" in row.image.file_name
        assert row.image._replace(file_name="") == before[asset].image._replace(file_name="")


@pytest.mark.parametrize("format", ["voc", "coco", "none"])
async def test_equal_versions_make_equal_archives(place: Place, format: str) -> None:
    version = await a_version(place, ("a.jpg", 1, Split.NONE, shapes(), ""), ("b.jpg", 1, Split.TEST, (), ""))

    first = await exported(place, version, format)
    second = await exported(place, version, format)

    assert first.result.archive == second.result.archive


async def test_images_keep_their_names_unless_two_have_the_same(place: Place) -> None:
    names = ("a/1.jpg", "b/1.jpg", "b/1.JPG", "2.jpg")
    version = await a_version(place, *((name, 1, Split.NONE, (), "") for name in names))

    archive = await archive_of(place, await exported(place, version, "voc"))

    images = sorted(name for name in archive.namelist() if name.startswith("images/"))
    assert [name.rpartition("-")[2].removeprefix("images/") for name in images].count("2.jpg") == 1
    assert len({Path(name).stem.lower() for name in images}) == 4
    assert {Path(name).stem for name in archive.namelist()} == {Path(name).stem for name in images}


async def test_bytes_of_images_are_as_they_came(place: Place) -> None:
    version = await a_version(place, ("a.jpg", 6, Split.NONE, None, ""))

    archive = await archive_of(place, await exported(place, version, "none"))

    assert archive.namelist() == ["images/a.jpg"]
    assert archive.read("images/a.jpg") == a_jpeg(0, orientation=6)


async def test_only_the_classes_asked_for_are_exported_and_in_their_order(place: Place) -> None:
    version = await a_version(place, ("a.jpg", 1, Split.NONE, boxes(), ""))

    outcome = await exported(place, version, "coco", classes=("big dog", "yeti"), images=False)

    archive = await archive_of(place, outcome)
    assert archive.namelist() == ["annotations/coco-annotations.json", "names.jsonl"]
    assert orjson.loads(archive.read("names.jsonl")) == {
        "name": "a.jpg",
        "asset": next(iter(await rows_of(place, version))),
    }
    document = orjson.loads(archive.read("annotations/coco-annotations.json"))
    assert [(category["id"], category["name"]) for category in document["categories"]] == [(1, "big dog"), (2, "yeti")]
    assert [annotation["category_id"] for annotation in document["annotations"]] == [1]


async def test_categories_follow_the_classes_of_the_project(place: Place) -> None:
    await place.knows("dog", "cat")
    version = await a_version(place, ("a.jpg", 1, Split.NONE, boxes(), ""))

    archive = await archive_of(place, await exported(place, version, "coco"))

    document = orjson.loads(archive.read("annotations/coco-annotations.json"))
    assert [category["name"] for category in document["categories"]] == ["dog", "cat", "big dog"]


async def test_what_a_format_cannot_hold_is_counted(place: Place) -> None:
    unplaced = AnnotationRow("cat")
    version = await a_version(place, ("a.jpg", 1, Split.NONE, (*shapes(), unplaced), ""))

    voc = await exported(place, version, "voc")
    coco = await exported(place, version, "coco")

    assert voc.result.summary["losses"] == {
        "annotations without a box": 1,
        "area": 2,
        "author": 1,
        "boxes thinner than a pixel": 1,
        "crowd": 1,
        "keypoints": 1,
        "mask": 1,
        "polygons": 1,
        "types of attributes": 1,
    }
    assert coco.result.summary["losses"] == {"annotations without a place": 1}
    assert [outcome.warnings for outcome in (voc, coco)] == [
        ("The archive lacks what its format cannot hold: 10 losses.",),
        ("The archive lacks what its format cannot hold: 1 loss.",),
    ]


async def test_each_loss_is_told_with_its_image_and_annotation(place: Place) -> None:
    lost = AnnotationRow("cat", (1, 1, 2, 2), author="someone", id=b"\1" * 16)
    version = await a_version(place, ("a.jpg", 1, Split.NONE, (*boxes(), lost), ""))

    report = await place.report(await exported(place, version, "voc"))

    assert [(finding.subject, finding.kind, finding.detail) for finding in report.findings] == [
        (f"a.jpg {'01' * 16}", "author", "Its author is lost: someone")
    ]


async def test_of_many_losses_all_are_counted_and_some_told(place: Place) -> None:
    many = tuple(AnnotationRow("cat", (x, 1, 2, 2), area=1.5) for x in range(1_200))
    version = await a_version(place, ("a.jpg", 1, Split.NONE, many, ""))

    outcome = await exported(place, version, "voc")

    assert outcome.result.summary["losses"] == {"area": 1_200}
    assert len((await place.report(outcome)).findings) == 1_000


async def test_what_is_lost_of_images_that_are_not_annotated_and_so_not_listed_is_told(place: Place) -> None:
    version = await a_version(
        place, ("a.jpg", 1, Split.TEST, None, '{"weather":"rain"}'), ("b.jpg", 1, Split.NONE, None, "")
    )

    outcome = await exported(place, version, "coco")

    assert outcome.result.summary["losses"] == {
        "attributes of images that are not annotated": 1,
        "splits of images that are not annotated": 1,
    }


async def test_a_layer_that_the_version_lacks_is_refused(place: Place) -> None:
    version = await a_version(place, ("a.jpg", 1, Split.NONE, (), ""))

    with pytest.raises(Invalid, match="no layer 'model@best'") as caught:
        await exported(place, version, "voc", layer="model@best")

    assert "ground_truth" in caught.value.step


async def test_a_format_that_does_not_exist_is_refused(place: Place) -> None:
    version = await a_version(place, ("a.jpg", 1, Split.NONE, (), ""))

    with pytest.raises(Invalid, match="no format 'yolo9000'"):
        await exported(place, version, "yolo9000")


async def test_large_images_are_not_held_in_memory(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.handlers.export.SMALL_BYTES", 100)
    version = await a_version(place, ("a.jpg", 1, Split.NONE, None, ""))

    archive = await archive_of(place, await exported(place, version, "none"))

    assert archive.read("images/a.jpg") == a_jpeg(0)


async def test_an_export_of_an_import_is_complete(place: Place, pool: ImagePool) -> None:
    folder = place.folder / "pictures"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(a_jpeg(number))
    draft = draft_of(await place.imported(pool, folder))
    version = await a_version(place, ("unused.jpg", 1, Split.NONE, None, ""))
    imported = version.model_copy(update={"id": new_id(), "number": 9, "digest": draft.digest})
    await place.database.documents(Version).add(imported)

    archive = await archive_of(place, await exported(place, imported, "voc"))

    assert sorted(archive.namelist()) == [f"images/{number}.jpg" for number in range(3)]
