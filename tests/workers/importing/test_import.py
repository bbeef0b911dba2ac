"""Imports: files become a version."""

import asyncio
import zipfile
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.exchange_parameters import ImportParameters
from schemas.outcomes import Outcome
from schemas.uploads import Upload
from storage.datasets.rows import AnnotationRow
from tests.factories import NOON
from tests.workers.imports import Place, draft_of
from tests.workers.pictures import a_jpeg, a_voc_folder
from workers.image_pool import ImagePool


def unnumbered(rows: tuple[AnnotationRow, ...]) -> list[AnnotationRow]:
    return [row._replace(id=None) for row in rows]


def kinds(outcome: Outcome, report: Any) -> dict[str, int]:  # noqa: ANN401 - JSON
    assert outcome.report is not None
    found = report.summary["findings"]
    assert isinstance(found, dict)
    return found


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
