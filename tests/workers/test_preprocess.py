"""Images that are made smaller before an executor sees them, in training and whenever the model is used."""

import json
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from schemas.errors import Invalid
from schemas.model_parameters import InferParameters, Preprocess, TrainParameters
from schemas.models import Model
from schemas.outcomes import Outcome
from schemas.tasks import Progress
from storage.datasets.mask_pixels import pixels_of
from storage.datasets.rows import AnnotationRow
from tests.workers.loop_world import MINES, TRAINS, World, a_world, model_of, python
from workers.formats.rle import mask_of, mask_row
from workers.handlers.infer import infer
from workers.handlers.train import train
from workers.packages import read_info
from workers.work import Work

CAT = AnnotationRow(class_name="cat", box=(40.0, 20.0, 100.0, 60.0))
LARGE = {"width": 400, "height": 200}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


async def an_attempt(world: World, *, orientation: int = 1, **changes: object) -> Work[TrainParameters]:
    learned = await world.photograph([CAT], **LARGE, orientation=orientation)
    small = await world.photograph([CAT], width=80, height=60, seed=1)
    fields = {
        "executor": "fake",
        "training": [{"ref": "pictures"}],
        "validation": ["others"],
        "model": "animals",
        "classes": ["cat"],
        "preprocess": {"long_side": 100},
    }
    inputs = {"/training/0/ref": await world.version(learned), "/validation/0": await world.version(small)}
    return world.work(TrainParameters.model_validate({**fields, **changes}), inputs)


async def trained(world: World, work: Work[TrainParameters]) -> Outcome:
    await world.executor(TRAINS)
    return await train(work, **world.tools())


def seen(work: Work[Any], index: str) -> tuple[Path, list[float]]:
    """Return the image of an index with one line, and the box in its VOC file."""
    image, annotations = (work.scratch / "in" / index).read_text().strip().split("\t")
    box = ET.parse(annotations).find("object/bndbox")  # noqa: S314 - we wrote it ourselves
    assert box is not None
    return Path(image), [float(box.findtext(side) or "") for side in ("xmin", "ymin", "xmax", "ymax")]


async def test_a_large_image_and_its_annotations_are_smaller_and_a_small_one_is_the_stored_file(world: World) -> None:
    work = await an_attempt(world)

    outcome = await trained(world, work)

    large, box = seen(work, "train-index.tsv")
    small, _ = seen(work, "val-index.tsv")
    with Image.open(large) as image:
        assert image.size == (100, 50)
    assert (large.stat().st_nlink, small.stat().st_nlink > 1) == (1, True)
    assert box == pytest.approx([10, 5, 35, 20], abs=1)
    assert outcome.result.summary["resized_images"] == 1


async def test_the_store_keeps_what_it_has(world: World) -> None:
    work = await an_attempt(world)
    before = {blob.digest async for blob in world.blobs.list()}

    outcome = await trained(world, work)

    assert outcome.log is not None
    assert outcome.report is not None
    named = {model_of(outcome).package.digest, outcome.log.digest, outcome.report.digest}
    assert {blob.digest async for blob in world.blobs.list()} == before | named


async def test_an_image_on_its_side_is_upright_and_its_annotations_with_it(world: World) -> None:
    work = await an_attempt(world, orientation=6)

    await trained(world, work)

    large, box = seen(work, "train-index.tsv")
    with Image.open(large) as image:
        assert (image.size, image.getexif().get(0x0112, 1)) == ((100, 50), 1)
    assert box == pytest.approx([10, 5, 35, 20], abs=1)


async def test_masks_have_the_size_of_the_images_that_the_executor_sees(world: World) -> None:
    pixels = np.zeros((200, 400), np.bool_)
    pixels[40:80, 100:200] = True
    learned = await world.photograph([CAT._replace(mask=mask_of(pixels))], **LARGE)
    work = await an_attempt(world, config={"export_format": "coco:raw"})
    inputs = {
        "/training/0/ref": await world.version(learned),
        "/validation/0": work.task.version_of("/validation/0"),
    }
    work = world.work(work.parameters, inputs)

    await trained(world, work)

    document = json.loads((work.scratch / "in/annotations/train.json").read_text())
    (image,), (annotation,) = document["images"], document["annotations"]
    assert (image["width"], image["height"]) == (100, 50)
    assert annotation["bbox"] == [10, 5, 25, 15]
    assert annotation["segmentation"]["size"] == [50, 100]
    found = pixels_of(mask_row(annotation["segmentation"]["counts"], height=50, width=100))
    assert np.argwhere(found).min(axis=0).tolist() == [10, 25]
    assert np.argwhere(found).max(axis=0).tolist() == [19, 49]


async def test_the_model_and_its_package_say_what_was_done(world: World) -> None:
    model = model_of(await trained(world, await an_attempt(world)))

    assert model.preprocess == Preprocess(long_side=100)
    info = read_info(await world.cache.path(model.package.digest))
    assert info["task_context"]["preprocess"] == {"longside_resize": {"dest_size": 100, "enlarge": False}}
    assert "preprocess" not in model.config


async def test_progress_is_told_while_images_are_made(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    work = await an_attempt(world)
    told: list[Progress] = []
    monkeypatch.setattr(
        work, "progress", lambda fraction, phase="": told.append(Progress(fraction=fraction, phase=phase))
    )

    await trained(world, work)

    assert [one.fraction for one in told if one.phase == "preprocessing"] == pytest.approx([0.05, 0.1])


async def test_an_image_that_cannot_be_decoded_is_named(world: World) -> None:
    work = await an_attempt(world)
    # Of 100 x 80 pixels, as the segment says, and no picture at all.
    broken = await world.version(await world.pictures([[CAT]]))
    work = world.work(
        work.parameters.model_copy(update={"preprocess": Preprocess(long_side=50)}),
        {"/training/0/ref": broken, "/validation/0": work.task.version_of("/validation/0")},
    )

    with pytest.raises(Invalid, match="1 image cannot be turned or resized") as caught:
        await trained(world, work)

    assert len(caught.value.faults) == 1


async def used(world: World, model: Model, script: str) -> tuple[Work[Any], Outcome]:
    await world.executor(script)
    source = await world.version(await world.photograph([], **LARGE, orientation=6))
    fields = {"executor": "fake", "dataset": "predicted", "source": "pool", "model": {"id": model.id}}
    work = world.work(InferParameters.model_validate(fields), {"/source": source})
    return work, await infer(work, **world.infer_tools())


async def test_predictions_on_smaller_images_are_those_of_the_images_themselves(world: World) -> None:
    model = await world.keep_model(await trained(world, await an_attempt(world)))

    work, outcome = await used(world, model, MINES)

    (row,) = (await world.rows(outcome)).values()
    with Image.open(next((work.scratch / "in/assets").rglob("*.jpg"))) as image:
        assert image.size == (100, 50)
    # The executor says 1, 2, 3, 4 of a picture that is a quarter as long.
    assert [found.box for found in row.layers["animals@second"]] == [(4.0, 8.0, 12.0, 16.0)]


async def test_masks_on_smaller_images_come_back_in_the_size_of_the_images(world: World) -> None:
    model = await world.keep_model(await trained(world, await an_attempt(world)))
    script = python(
        "(image,) = lines(given['candidate_index_file'])\n"
        "document = {'images': [{'id': 1, 'file_name': pathlib.Path(image).name}],\n"
        "            'categories': [{'id': 1, 'name': 'cat'}],\n"
        "            'annotations': [{'image_id': 1, 'category_id': 1, 'confidence': 0.5, 'bbox': [0, 0, 50, 50],\n"
        "                             'segmentation': {'size': [50, 100], 'counts': [0, 2500, 2500]}}]}\n"
        "json.dump(document, open(out['infer_result_file'], 'w'))\n"
    )

    _, outcome = await used(world, model, script)

    (row,) = (await world.rows(outcome)).values()
    (found,) = row.layers["animals@second"]
    assert found.mask is not None
    assert (found.mask.height, found.mask.width) == (200, 400)
    assert found.box == (0.0, 0.0, 200.0, 200.0)


async def test_a_layer_says_that_its_images_were_made_smaller(world: World) -> None:
    plain = await world.keep_model(await trained(world, await an_attempt(world, preprocess=None)))
    resized = await world.keep_model(await trained(world, await an_attempt(world)))

    origins = []
    for model in (plain, resized):
        content = await world.content((await used(world, model, MINES))[1])
        origins.append(content.layers["animals@second"].predictions)

    assert origins[0] is not None
    assert origins[1] is not None
    assert origins[0].model == origins[1].model
    assert origins[0].configuration != origins[1].configuration


async def test_what_the_model_to_start_from_does_otherwise_is_told(world: World) -> None:
    model = await world.keep_model(await trained(world, await an_attempt(world, classes=["cat", "dog"])))
    same = await an_attempt(world, classes=["cat", "dog"], pretrained={"id": model.id})
    other = await an_attempt(world, pretrained={"id": model.id}, preprocess=None)
    order = await an_attempt(world, classes=["dog", "cat"], pretrained={"id": model.id})

    told = [
        [line for line in (await trained(world, work)).warnings if "start from" in line]
        for work in (same, other, order)
    ]

    assert told[0] == []
    assert "new are: none; no longer there are: dog" in told[1][0]
    assert "100 pixels long" in told[1][1]
    assert "another order: cat, dog" in told[2][0]
