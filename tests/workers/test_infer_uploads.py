"""Infer on uploaded pictures: what was found is named by the task alone."""

import io
import zipfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.errors import Invalid
from schemas.model_parameters import InferParameters, TrainParameters
from schemas.outcomes import Outcome
from schemas.schema import Id, new_id
from schemas.uploads import Upload
from storage.datasets.rows import AssetRow
from tests.factories import NOON
from tests.workers.loop_world import CAT, TRAINS, World, a_world, python
from tests.workers.pictures import a_jpeg
from workers.handlers.infer import infer
from workers.handlers.train import train

LAYER = "animals@second"
EVERYWHERE = python(
    "box = dict(x=1, y=2, w=3, h=4)\n"
    "boxes = [{'box': box, 'class_name': name, 'score': 0.75} for name in ('cat', 'ufo')]\n"
    "found = {pathlib.Path(image).name: {'boxes': boxes} for image in lines(given['candidate_index_file'])}\n"
    "json.dump({'detection': found}, open(out['infer_result_file'], 'w'))\n"
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


async def test_every_picture_has_its_name_its_size_and_what_was_found(world: World) -> None:
    outcome = await inferred(world, {"a.jpg": a_jpeg(1), "b.jpg": a_jpeg(2, width=50)})

    rows = await rows_of(world, outcome)
    assert sorted((name, row.image.width) for name, row in rows.items()) == [("a.jpg", 40), ("b.jpg", 50)]
    assert [one.class_name for row in rows.values() for one in row.layers[LAYER]] == ["cat", "cat"]
    assert outcome.records == ()
    assert outcome.result.summary["pictures"] == 2


async def test_what_is_found_on_a_picture_on_its_side_is_told_of_the_displayed_one(world: World) -> None:
    outcome = await inferred(world, {"side.jpg": a_jpeg(1, orientation=6)})

    row = (await rows_of(world, outcome))["side.jpg"]
    assert (row.image.width, row.image.height) == (30, 40)
    assert row.layers[LAYER][0].box == (1.0, 2.0, 3.0, 4.0)


async def test_archives_are_unpacked_each_under_its_name_and_equal_names_kept_apart(world: World) -> None:
    first, second = an_archive({"in/a.jpg": a_jpeg(1), "readme.txt": b"hello"}), an_archive({"a.jpg": a_jpeg(2)})

    outcome = await inferred(world, {"one.zip": first, "two.zip": second, "a.jpg": a_jpeg(3)})

    assert sorted(await rows_of(world, outcome)) == ["3/a.jpg", "a.jpg", "one/in/a.jpg"]


async def test_one_archive_alone_is_taken_as_it_is(world: World) -> None:
    archive = an_archive({"in/a.jpg": a_jpeg(1), "b.jpg": a_jpeg(2)})

    assert sorted(await rows_of(world, await inferred(world, {"pictures.zip": archive}))) == ["b.jpg", "in/a.jpg"]


async def test_what_is_no_picture_is_left_out_and_told_and_so_is_the_same_picture_again(world: World) -> None:
    sent = {"a.jpg": a_jpeg(1), "same.jpg": a_jpeg(1), "bad.jpg": a_jpeg(2)[:200]}

    outcome = await inferred(world, sent)

    assert list(await rows_of(world, outcome)) == ["a.jpg"]
    told = {(finding.kind, finding.subject) for finding in (await world.report(outcome)).findings}
    assert told == {("bad image", "bad.jpg"), ("duplicate", "same.jpg"), ("unknown_class", "ufo")}
    assert (outcome.result.summary["skipped"], outcome.result.summary["duplicates"]) == (1, 1)


async def test_a_bad_picture_fails_the_task_where_that_is_asked_for(world: World) -> None:
    with pytest.raises(Invalid) as caught:
        await inferred(world, {"a.jpg": a_jpeg(1), "bad.jpg": a_jpeg(2)[:200]}, on_bad_image="fail")

    assert [fault.pointer for fault in caught.value.faults] == ["bad.jpg"]


async def test_pictures_that_are_too_many_or_none_are_refused(world: World) -> None:
    eleven = an_archive({f"{number}.jpg": a_jpeg(number) for number in range(11)})

    with pytest.raises(Invalid, match="There are 11 pictures; an inference takes 10"):
        await inferred(world, {"many.zip": eleven})
    with pytest.raises(Invalid, match="no picture"):
        await inferred(world, {"none.zip": an_archive({"readme.txt": b"hello"})})
    with pytest.raises(Invalid, match="can be used"):
        await inferred(world, {"bad.jpg": a_jpeg(2)[:200]})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"dataset": "d"}, "either source"),
        ({"source": "pool", "uploads": ["0" * 32], "dataset": "d"}, "either source"),
        ({"source": "pool"}, "name its dataset"),
        ({"uploads": ["0" * 32], "dataset": "d"}, "no dataset"),
        ({"uploads": ["0" * 32], "tag": "t"}, "no dataset"),
    ],
)
def test_either_a_version_is_asked_about_or_uploads(given: Mapping[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        InferParameters.model_validate({"executor": "fake", "model": {"id": "0" * 32}, **given})


async def inferred(world: World, sent: Mapping[str, bytes], **changes: object) -> Outcome:
    uploads = [await an_upload(world, name, data) for name, data in sent.items()]
    fields = {"executor": "fake", "uploads": uploads, "model": {"id": await a_model(world)}}
    await world.executor(EVERYWHERE)
    return await infer(world.work(InferParameters.model_validate({**fields, **changes})), **world.infer_tools())


async def an_upload(world: World, name: str, data: bytes) -> Id:
    blob = await world.blobs.put(data)
    upload = Upload(id=new_id(), name=name, blob=blob, created_by="ann", created_at=NOON)
    await world.database.documents(Upload).add(upload)
    return upload.id


async def a_model(world: World) -> Id:
    await world.executor(TRAINS)
    inputs = {
        "/training/0/ref": await world.version(await world.pictures([[CAT]], seed=8)),
        "/validation/0": await world.version(await world.pictures([[CAT]], seed=9)),
    }
    asked = TrainParameters.model_validate(
        {"executor": "fake", "training": [{"ref": "a"}], "validation": ["b"], "model": "animals", "classes": ["cat"]}
    )
    return (await world.keep_model(await train(world.work(asked, inputs), **world.tools()))).id


def an_archive(members: Mapping[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return written.getvalue()


async def rows_of(world: World, outcome: Outcome) -> dict[str, AssetRow]:
    assert outcome.problem is None, outcome.problem
    assert outcome.result.predictions is not None
    content = await world.library.content(outcome.result.predictions.manifest.digest)
    return {row.image.file_name: row async for row in world.library.rows(content)}
