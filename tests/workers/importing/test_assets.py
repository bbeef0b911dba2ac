"""What an import makes of each image."""

from typing import Any

import orjson
import pytest
from PIL import Image

from schemas.annotations import ATTRIBUTES
from schemas.datasets import Version
from schemas.exchange_parameters import ImportParameters
from schemas.outcomes import Outcome
from schemas.splits import Split
from schemas.tasks import Input
from tests.factories import NOON, PROJECT, a_task
from tests.workers.imports import Place, draft_of
from tests.workers.pictures import a_jpeg, a_picture, a_voc_file, a_voc_folder, an_object
from workers.handlers.ingest import import_files
from workers.image_pool import ImagePool
from workers.importing.settings import ImportSettings
from workers.work import Work


def kinds(outcome: Outcome, report: Any) -> dict[str, int]:  # noqa: ANN401 - JSON
    assert outcome.report is not None
    found = report.summary["findings"]
    assert isinstance(found, dict)
    return found


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


@pytest.mark.parametrize(("kind", "suffix"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tiff")])
async def test_annotations_of_a_turned_image_are_turned_with_it(
    place: Place, pool: ImagePool, kind: str, suffix: str
) -> None:
    folder = a_voc_folder(place.folder / "voc", images=1)
    exif = Image.Exif()
    exif[0x0112] = 6
    a_picture(9, width=40, height=30).save(folder / "images" / f"t.{suffix}", kind, exif=exif)
    (folder / "annotations" / "t.xml").write_text(a_voc_file(an_object(box=(3, 4, 12, 8))))

    outcome = await place.imported(pool, folder)

    row = (await place.rows(outcome))[f"images/t.{suffix}"]
    assert row.image.orientation == 6
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

    (place.folder / "scratch").mkdir()

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
    assert draft_of(outcome).parents == (base.id,)
    assert [moved.id] == [
        row.id
        for asset in before.values()
        for row in asset.layers["ground_truth"]
        if asset.image.file_name == "images/1.jpg"
    ]


async def test_segments_are_ended_by_their_number_of_annotations(
    place: Place, pool: ImagePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = a_voc_folder(place.folder / "voc", images=4)
    whole = await place.rows(await place.imported(pool, folder))
    monkeypatch.setattr("workers.importing.segments.WEIGHT_AT_MOST", 2)

    outcome = await place.imported(pool, folder)

    assert len((await place.library.content(draft_of(outcome).digest)).segments()) == 2
    assert await place.rows(outcome) == whole
