"""Imports: files become a version."""

import asyncio
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.annotations import ATTRIBUTES
from schemas.datasets import Version
from schemas.outcomes import Outcome
from schemas.parameters import ImportParameters
from schemas.splits import Split
from schemas.tasks import Input
from schemas.uploads import Upload
from storage.datasets.rows import AnnotationRow
from tests.factories import NOON, PROJECT, a_task
from tests.workers.imports import Place, a_place, draft_of
from tests.workers.pictures import a_jpeg, a_voc_file, a_voc_folder, an_object
from workers.handlers.ingest import import_files
from workers.image_pool import ImagePool
from workers.importing.settings import ImportSettings
from workers.work import Work


@pytest.fixture(scope="module")
def pool() -> Iterator[ImagePool]:
    pool = ImagePool(processes=1)
    yield pool
    pool.close()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with a_place(tmp_path) as place:
        yield place


def kinds(outcome: Outcome, report: Any) -> dict[str, int]:  # noqa: ANN401 - JSON
    assert outcome.report is not None
    found = report.summary["findings"]
    assert isinstance(found, dict)
    return found


def unnumbered(rows: tuple[AnnotationRow, ...]) -> list[AnnotationRow]:
    return [row._replace(id=None) for row in rows]


async def test_a_voc_folder_becomes_a_version(place: Place, pool: ImagePool) -> None:
    await place.knows("cat")

    outcome = await place.imported(pool, a_voc_folder(place.folder / "voc"))

    rows = await place.rows(outcome)
    assert {name: len(row.layers["ground_truth"]) for name, row in rows.items()} == {
        "images/0.jpg": 0,
        "images/1.jpg": 1,
        "images/2.jpg": 2,
    }
    assert rows["images/1.jpg"].layers["ground_truth"][0].box == (0.0, 0.0, 10.0, 5.0)
    assert draft_of(outcome).counts.images == 3
    assert outcome.result.summary["annotations"] == 3
    assert outcome.new_classes == ()
    assert await place.blobs.get(f"sha256:{rows['images/0.jpg'].asset}") == a_jpeg(0)


async def test_the_same_files_give_the_same_digest_wherever_they_are(place: Place, pool: ImagePool) -> None:
    first = await place.imported(pool, a_voc_folder(place.folder / "one"))
    again = await place.imported(pool, a_voc_folder(place.folder / "two"))

    assert draft_of(first).digest == draft_of(again).digest


async def test_an_image_without_a_file_is_not_annotated_and_an_empty_file_is_empty(
    place: Place, pool: ImagePool
) -> None:
    folder = a_voc_folder(place.folder / "voc", images=2)
    (folder / "annotations" / "1.xml").unlink()

    rows = await place.rows(await place.imported(pool, folder))

    assert rows["images/0.jpg"].layers["ground_truth"] == ()
    assert "ground_truth" not in rows["images/1.jpg"].layers


async def test_images_alone_are_imported_without_a_layer(place: Place, pool: ImagePool) -> None:
    (place.folder / "images").mkdir()
    (place.folder / "images" / "a.jpg").write_bytes(a_jpeg())

    outcome = await place.imported(pool, place.folder / "images")

    assert outcome.result.summary["format"] == "none"
    assert draft_of(outcome).counts.layers == {}


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
        ("annotations/1.xml", "the class 'cat' is unknown; it has 1 annotations"),
        ("annotations/2.xml", "the class 'cow' is unknown; it has 1 annotations"),
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


async def test_an_image_that_cannot_be_read_is_listed_and_the_import_goes_on(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    (folder / "images" / "1.jpg").write_bytes(a_jpeg(1)[:300])
    (folder / "images" / "2.jpg").write_text("no image")

    outcome = await place.imported(pool, folder)

    assert list(await place.rows(outcome)) == ["images/0.jpg"]
    assert outcome.result.summary["skipped"] == 2
    report = await place.report(outcome)
    assert [finding.subject for finding in report.findings if finding.kind == "bad image"] == [
        "images/1.jpg",
        "images/2.jpg",
    ]


async def test_an_image_that_cannot_be_read_fails_the_import_if_so_asked(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    (folder / "images" / "1.jpg").write_bytes(a_jpeg(1)[:300])

    outcome = await place.imported(pool, folder, on_bad_image="fail")

    assert outcome.problem is not None
    assert [error.pointer for error in outcome.problem.errors] == ["images/1.jpg"]
    assert outcome.records == ()


async def test_an_entry_without_its_image_is_as_bad_as_a_bad_image(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    (folder / "images" / "1.jpg").unlink()

    going_on = await place.imported(pool, folder)
    failing = await place.imported(pool, folder, on_bad_image="fail")

    assert kinds(going_on, await place.report(going_on))["image missing"] == 1
    assert failing.problem is not None
    assert [error.pointer for error in failing.problem.errors] == ["annotations/1.xml"]


async def test_every_fault_of_every_file_is_named(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    (folder / "annotations" / "0.xml").write_text("<annotation>")
    (folder / "annotations" / "2.xml").write_text(a_voc_file(an_object(box=(9, 1, 2, 3))))

    outcome = await place.imported(pool, folder)

    assert outcome.problem is not None
    assert outcome.problem.status == 422
    assert [error.pointer for error in outcome.problem.errors] == ["annotations/0.xml:1", "annotations/2.xml:3"]
    assert kinds(outcome, await place.report(outcome))["fault"] == 2


async def test_the_problem_names_a_hundred_faults_and_the_report_more(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    (folder / "annotations" / "2.xml").write_text(a_voc_file(*[an_object(box=(9, 1, 2, 3))] * 150))

    outcome = await place.imported(pool, folder)

    assert outcome.problem is not None
    assert len(outcome.problem.errors) == 100
    assert kinds(outcome, await place.report(outcome))["fault"] == 150


async def test_the_same_bytes_are_one_asset_under_the_first_name(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    for name in ("images/2-again.jpg", "images/2-other.jpg", "images/2-unlabeled.jpg"):
        (folder / name).write_bytes(a_jpeg(2))
    same = (folder / "annotations" / "2.xml").read_text()
    (folder / "annotations" / "2-again.xml").write_text(same)
    (folder / "annotations" / "2-other.xml").write_text(a_voc_file(an_object("dog")))

    outcome = await place.imported(pool, folder)

    rows = await place.rows(outcome)
    assert set(rows) == {"images/0.jpg", "images/1.jpg", "images/2-again.jpg"}
    assert len(rows["images/2-again.jpg"].layers["ground_truth"]) == 2
    assert outcome.result.summary["duplicates"] == 3
    report = await place.report(outcome)
    assert [finding.subject for finding in report.findings if finding.kind == "differing duplicate"] == [
        "images/2-other.jpg"
    ]


async def test_an_asset_that_came_without_annotations_takes_those_of_its_duplicate(
    place: Place, pool: ImagePool
) -> None:
    folder = a_voc_folder(place.folder / "voc")
    (folder / "images" / "0-copy.jpg").write_bytes(a_jpeg(2))

    rows = await place.rows(await place.imported(pool, folder))

    assert len(rows["images/0-copy.jpg"].layers["ground_truth"]) == 2
    assert "images/2.jpg" not in rows


async def test_attributes_of_whole_images_have_their_own_layer(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    (folder / "annotations" / "1.xml").write_text("<annotation><cks><weather>rain</weather></cks></annotation>")

    rows = await place.rows(await place.imported(pool, folder))

    (attributes,) = rows["images/1.jpg"].layers[ATTRIBUTES]
    assert orjson.loads(attributes.attributes) == {"weather": "rain"}
    assert ATTRIBUTES not in rows["images/0.jpg"].layers


async def test_the_split_asked_for_goes_before_what_the_files_say(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    (folder / "ImageSets" / "Main" / "train.txt").write_text("0\n1\n")

    told = await place.rows(await place.imported(pool, folder))
    asked = await place.rows(await place.imported(pool, folder, split="test"))

    assert [told[f"images/{n}.jpg"].split for n in range(3)] == [Split.TRAINING, Split.TRAINING, Split.NONE]
    assert {row.split for row in asked.values()} == {Split.TEST}


async def test_annotations_of_a_turned_image_are_turned_with_it(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc", images=1)
    (folder / "images" / "t.jpg").write_bytes(a_jpeg(9, width=40, height=30, orientation=6))
    (folder / "annotations" / "t.xml").write_text(a_voc_file(an_object(box=(3, 4, 12, 8))))

    outcome = await place.imported(pool, folder)

    row = (await place.rows(outcome))["images/t.jpg"]
    assert (row.image.width, row.image.height) == (30, 40)
    assert row.layers["ground_truth"][0].box == (21.0, 3.0, 5.0, 10.0)
    assert kinds(outcome, await place.report(outcome))["turned"] == 1


async def test_ids_are_inherited_from_a_base(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    first = draft_of(await place.imported(pool, folder))
    base = Version(
        id="1" * 32,
        project=PROJECT,
        dataset="2" * 32,
        dataset_name="pictures",
        number=1,
        digest=first.digest,
        manifest=first.manifest,
        task="3" * 32,
        made_by="import",
        created_at=NOON,
    )
    await place.database.documents(Version).add(base)
    (folder / "annotations" / "1.xml").write_text(a_voc_file(an_object(box=(1, 0, 9, 4))))
    asked = ImportParameters.model_validate(
        {"dataset": "pictures", "source": {"path": str(folder)}, "unknown_classes": "add", "base": "pictures@1"}
    )
    task = a_task(parameters=asked, inputs=(Input(pointer="/base", ref="pictures@1", version=base.id),))

    outcome = await import_files(
        Work(task, asked, scratch=place.folder / "scratch", now=lambda: NOON),
        library=place.library,
        blobs=place.blobs,
        database=place.database,
        pool=pool,
        settings=ImportSettings(import_roots=(place.folder,)),
    )

    before = {row.asset: row async for row in place.library.rows(await place.library.content(first.digest))}
    (moved,) = (await place.rows(outcome))["images/1.jpg"].layers["ground_truth"]
    assert moved.box == (1.0, 0.0, 9.0, 5.0)
    assert [moved.id] == [
        row.id
        for asset in before.values()
        for row in asset.layers["ground_truth"]
        if asset.image.file_name == "images/1.jpg"
    ]


async def test_a_zip_is_imported_like_its_folder(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    archive = _zipped(folder)

    outcome = await place.imported(pool, archive)

    assert draft_of(outcome).digest == draft_of(await place.imported(pool, folder)).digest


async def test_an_upload_is_imported_like_its_folder(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    blob = await place.blobs.put_file(_zipped(folder))
    upload = Upload(id="5" * 32, name="pictures.zip", blob=blob, created_by="me", created_at=NOON)
    await place.database.documents(Upload).add(upload)

    asked = ImportParameters.model_validate(
        {"dataset": "pictures", "source": {"upload": upload.id}, "unknown_classes": "add"}
    )
    outcome = await place.run(pool, asked)

    assert draft_of(outcome).digest == draft_of(await place.imported(pool, folder)).digest


async def test_a_coco_folder_becomes_a_version(place: Place, pool: ImagePool) -> None:
    folder = place.folder / "coco"
    (folder / "images").mkdir(parents=True)
    for number in range(3):
        (folder / "images" / f"{number}.jpg").write_bytes(a_jpeg(number))
    document = {
        "images": [{"id": number, "file_name": f"{number}.jpg"} for number in range(2)],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "segmentation": []}],
    }
    (folder / "annotations.json").write_bytes(orjson.dumps(document))

    outcome = await place.imported(pool, folder)

    rows = await place.rows(outcome)
    assert rows["images/0.jpg"].layers["ground_truth"] == ()
    assert unnumbered(rows["images/1.jpg"].layers["ground_truth"]) == [
        AnnotationRow(class_name="cat", box=(1.0, 2.0, 3.0, 4.0))
    ]
    assert "ground_truth" not in rows["images/2.jpg"].layers
    assert kinds(outcome, await place.report(outcome))["no entry"] == 1


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


async def test_segments_are_ended_by_their_number_of_annotations(
    place: Place, pool: ImagePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = a_voc_folder(place.folder / "voc", images=4)
    whole = await place.rows(await place.imported(pool, folder))
    monkeypatch.setattr("workers.importing.segments.ANNOTATIONS_AT_MOST", 2)

    outcome = await place.imported(pool, folder)

    assert len((await place.library.content(draft_of(outcome).digest)).segments()) == 2
    assert await place.rows(outcome) == whole


async def test_an_import_that_is_cancelled_ends_at_once(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc", images=200)
    running = asyncio.create_task(place.imported(pool, folder))
    await asyncio.sleep(0)

    running.cancel()

    async with asyncio.timeout(20):
        with pytest.raises(asyncio.CancelledError):
            await running


def _zipped(folder: Path) -> Path:
    archive = folder.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*.*")):
            file.write(path, path.relative_to(folder))
    return archive
