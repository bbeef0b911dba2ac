"""Sources of an import: what is taken, and what is refused."""

import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from schemas.errors import Invalid, NotFound
from schemas.exchange_parameters import ImportParameters
from tests.workers.imports import Place, draft_of
from tests.workers.pictures import a_jpeg, a_voc_folder
from workers.image_pool import ImagePool


def asked(**source: str) -> ImportParameters:
    return ImportParameters.model_validate({"dataset": "pictures", "source": source})


async def refusal(place: Place, pool: ImagePool, source: Path, **parameters: Any) -> Invalid:  # noqa: ANN401 - any field
    with pytest.raises(Invalid) as caught:
        await place.imported(pool, source, **parameters)
    assert caught.value.step
    return caught.value


async def test_a_path_outside_the_import_roots(place: Place, pool: ImagePool) -> None:
    with pytest.raises(Invalid, match="not under one of the import roots"):
        await place.run(pool, asked(path=str(place.folder)), import_roots=(place.folder / "data",))


async def test_a_path_that_leaves_the_import_roots_by_a_link(place: Place, pool: ImagePool) -> None:
    (place.folder / "data").mkdir()
    (place.folder / "data" / "link").symlink_to("/etc")

    with pytest.raises(Invalid, match="not under one of the import roots"):
        await place.run(pool, asked(path=str(place.folder / "data/link")), import_roots=(place.folder / "data",))


async def test_a_file_that_is_a_link_leading_outside_is_not_read(place: Place, pool: ImagePool) -> None:
    (place.folder / "secret.jpg").write_bytes(a_jpeg(5))
    folder = a_voc_folder(place.folder / "data" / "voc")
    (folder / "images" / "link.jpg").symlink_to(place.folder / "secret.jpg")
    (folder / "images" / "inside.jpg").symlink_to(folder / "images" / "0.jpg")
    parameters = {"dataset": "pictures", "source": {"path": str(folder)}, "unknown_classes": "add"}

    outcome = await place.run(pool, ImportParameters.model_validate(parameters), import_roots=(place.folder / "data",))

    findings = (await place.report(outcome)).findings
    assert [(finding.subject, finding.kind) for finding in findings if finding.kind in {"link", "duplicate"}] == [
        ("images/link.jpg", "link"),
        ("images/inside.jpg", "duplicate"),
    ]


async def test_a_path_where_nothing_is(place: Place, pool: ImagePool) -> None:
    assert "nothing at" in (await refusal(place, pool, place.folder / "none")).detail


async def test_a_pipe_is_not_waited_for(place: Place, pool: ImagePool) -> None:
    os.mkfifo(place.folder / "pipe")

    assert "neither a folder nor a file" in (await refusal(place, pool, place.folder / "pipe")).detail


async def test_an_upload_that_does_not_exist(place: Place, pool: ImagePool) -> None:
    with pytest.raises(NotFound, match="upload"):
        await place.run(pool, asked(upload="6" * 32))


async def test_a_url_is_imported_like_the_archive_that_it_leads_to(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    archive = Path(shutil.make_archive(str(place.folder / "voc"), "zip", folder))

    async def sent(_: web.Request) -> web.FileResponse:
        return web.FileResponse(archive)

    app = web.Application()
    app.router.add_get("/voc.zip", sent)
    async with TestServer(app) as server:
        parameters = {
            "dataset": "pictures",
            "source": {"url": f"http://127.0.0.1:{server.port}/voc.zip"},
            "unknown_classes": "add",
        }
        asked = ImportParameters.model_validate(parameters)
        outcome = await place.run(pool, asked, private_networks=("127.0.0.0/8",))
        with pytest.raises(Invalid, match="not public"):
            await place.run(pool, asked)

    assert draft_of(outcome).digest == draft_of(await place.imported(pool, folder)).digest


@pytest.mark.parametrize("name", ["one.jpg", "upload"])
async def test_a_single_image_is_a_source_whatever_its_name(place: Place, pool: ImagePool, name: str) -> None:
    (place.folder / name).write_bytes(a_jpeg())

    outcome = await place.imported(pool, place.folder / name)

    assert draft_of(outcome).counts.images == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [("coco.json", '\ufeff {"images": []}'), ("download", "[]"), ("a.xml", "<annotation/>"), ("labels.txt", "0 1 2")],
)
async def test_annotations_alone_are_refused_with_the_reason(
    place: Place, pool: ImagePool, name: str, content: str
) -> None:
    (place.folder / name).write_text(content)

    error = await refusal(place, pool, place.folder / name)

    assert "images that they are about are not in it" in error.detail
    assert "zip or tar" in error.step


async def test_an_empty_folder(place: Place, pool: ImagePool) -> None:
    (place.folder / "empty").mkdir()

    assert "nothing to import" in (await refusal(place, pool, place.folder / "empty")).detail


async def test_annotations_without_any_image(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    for path in (folder / "images").iterdir():
        path.unlink()

    assert "no image to import" in (await refusal(place, pool, folder)).detail


async def test_images_none_of_which_can_be_read(place: Place, pool: ImagePool) -> None:
    folder = place.folder / "bad"
    folder.mkdir()
    (folder / "1.jpg").write_text("no image")

    outcome = await place.imported(pool, folder)

    assert outcome.problem is not None
    assert outcome.problem.detail == "Nothing of 1 image can be used."
    assert [error.pointer for error in outcome.problem.errors] == ["1.jpg"]


async def test_a_format_that_does_not_exist(place: Place, pool: ImagePool) -> None:
    error = await refusal(place, pool, a_voc_folder(place.folder / "voc"), format="yolo9000")

    assert "coco" in error.step


async def test_a_folder_of_two_formats_must_say_which_is_meant(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc")
    (folder / "annotations.json").write_text('{"images": [], "annotations": [], "categories": []}')

    error = await refusal(place, pool, folder)
    outcome = await place.imported(pool, folder, format="voc")

    assert "voc, coco" in error.detail
    assert outcome.problem is None


async def test_the_layer_of_attributes_is_not_for_annotations(place: Place, pool: ImagePool) -> None:
    error = await refusal(place, pool, a_voc_folder(place.folder / "voc"), layer="attributes")

    assert "attributes" in error.detail


async def test_a_file_that_is_neither_folder_nor_archive(place: Place, pool: ImagePool) -> None:
    (place.folder / "a.rar").write_bytes(b"Rar!" * 100)

    assert "no archive" in (await refusal(place, pool, place.folder / "a.rar")).detail


async def test_an_archive_in_an_archive(place: Place, pool: ImagePool) -> None:
    with zipfile.ZipFile(place.folder / "outer.zip", "w") as file:
        file.writestr("inner.zip", b"")

    assert "'inner.zip'" in (await refusal(place, pool, place.folder / "outer.zip")).detail


async def test_an_archive_that_leads_out_leaves_nothing_behind(place: Place, pool: ImagePool) -> None:
    with zipfile.ZipFile(place.folder / "a.zip", "w") as file:
        file.writestr("1.jpg", a_jpeg())
        file.writestr("../../2.jpg", a_jpeg())

    error = await refusal(place, pool, place.folder / "a.zip")

    assert error.faults[0].pointer == "../../2.jpg"
    assert [blob async for blob in place.blobs.list()] == []


async def test_an_archive_larger_than_the_limit(place: Place, pool: ImagePool) -> None:
    with zipfile.ZipFile(place.folder / "a.zip", "w") as file:
        file.writestr("1.jpg", a_jpeg())

    with pytest.raises(Invalid, match="more than 100 bytes"):
        await place.run(pool, asked(path=str(place.folder / "a.zip")), archive_bytes=100)
