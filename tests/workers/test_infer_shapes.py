"""Infer with executors that find more than upright boxes, on a version and on uploaded pictures alike."""

import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.annotations import ObjectType
from schemas.exchange_parameters import ExportParameters
from schemas.executors import Executor
from schemas.model_parameters import InferParameters
from schemas.models import Model
from schemas.outcomes import Outcome
from schemas.projects import Project
from schemas.schema import Id
from storage.datasets.mask_pixels import pixels_of
from storage.datasets.rows import AnnotationRow
from tests.factories import PROJECT
from tests.workers.loop_world import World, a_world, python
from tests.workers.pictures import a_jpeg
from tests.workers.test_infer_uploads import LAYER, a_model, an_upload, rows_of
from workers.handlers.export import export
from workers.handlers.infer import infer

# Runs down the columns of a picture: two pixels, from the third of the first column on.
SEGMENTS = python(
    "from PIL import Image\n"
    "images = lines(given['candidate_index_file'])\n"
    "told = {'images': [], 'categories': [{'id': 1, 'name': 'cat'}, {'id': 2, 'name': 'ufo'}], 'annotations': []}\n"
    "for number, image in enumerate(images):\n"
    "    told['images'].append({'id': number, 'file_name': pathlib.Path(image).name})\n"
    "    width, height = Image.open(image).size\n"
    "    rle = {'size': [height, width], 'counts': [2, 2, width * height - 4]}\n"
    "    outline = [[1, 2, 9, 2, 9, 8]]\n"
    "    for shape, name in ((rle, 1), (outline, 1), (rle, 2)):\n"
    "        told['annotations'].append({'image_id': number, 'category_id': name, 'confidence': 0.75,\n"
    "                                    'segmentation': shape})\n"
    "json.dump(told, open(out['infer_result_file'], 'w'))\n"
)
TURNED = python(
    "box = dict(x=4, y=10, w=20, h=8, rotate_angle=0.5)\n"
    "boxes = [{'box': box, 'class_name': 'cat', 'score': 0.75}]\n"
    "found = {pathlib.Path(image).name: {'boxes': boxes} for image in lines(given['candidate_index_file'])}\n"
    "json.dump({'detection': found}, open(out['infer_result_file'], 'w'))\n"
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


@pytest.mark.parametrize("orientation", [1, 6])
async def test_masks_and_polygons_are_kept_in_the_frame_of_the_displayed_picture(
    world: World, orientation: int
) -> None:
    found = await on_pictures(world, SEGMENTS, ObjectType.INSTANCE_SEGMENTATION, orientation=orientation)

    mask, polygon = found
    assert mask.mask is not None
    down, across = np.nonzero(pixels_of(mask.mask))
    assert (mask.mask.width, mask.mask.height) == ((40, 30) if orientation == 1 else (30, 40))
    assert (down.tolist(), across.tolist()) == ([2, 3], [0, 0])
    assert (mask.box, polygon.box) == ((0.0, 2.0, 1.0, 2.0), (1.0, 2.0, 8.0, 6.0))
    assert [row.confidence for row in found] == [0.75, 0.75]


@pytest.mark.parametrize("orientation", [1, 2])
async def test_turned_boxes_are_kept_turned(world: World, orientation: int) -> None:
    (found,) = await on_pictures(world, TURNED, ObjectType.DETECTION, orientation=orientation)

    assert (found.box, found.rotation) == ((4.0, 10.0, 20.0, 8.0), 0.5)


async def test_a_version_gets_them_as_a_layer_that_can_be_exported(world: World) -> None:
    model = await a_model_of(world, ObjectType.INSTANCE_SEGMENTATION)
    await of_type(world, ObjectType.INSTANCE_SEGMENTATION, script=SEGMENTS.replace("Image.open(image).size", "100, 80"))
    source = await world.version(await world.pictures([None, []]))
    fields = {"executor": "fake", "source": "pool", "dataset": "found", "model": {"id": model}}
    work = world.work(InferParameters.model_validate(fields), {"/source": source})
    outcome = await infer(work, **world.infer_tools())

    rows = (await world.rows(outcome)).values()
    version = await world.version(await world.content(outcome))
    document = await exported(world, version)

    assert [len(row.layers[LAYER]) for row in rows] == [2, 2]
    assert sorted(type(one["segmentation"]).__name__ for one in document["annotations"]) == ["dict"] * 2 + ["list"] * 2
    assert {one["confidence"] for one in document["annotations"]} == {0.75}


async def on_pictures(
    world: World, script: str, object_type: ObjectType, *, orientation: int
) -> tuple[AnnotationRow, ...]:
    """Return what a script finds on one uploaded picture, stored 40 wide and 30 high."""
    model = await a_model_of(world, object_type)
    await of_type(world, object_type, script=script)
    upload = await an_upload(world, "a.jpg", a_jpeg(1, orientation=orientation))
    asked = InferParameters.model_validate({"executor": "fake", "uploads": [upload], "model": {"id": model}})
    outcome: Outcome = await infer(world.work(asked), **world.infer_tools())
    return (await rows_of(world, outcome))["a.jpg"].layers[LAYER]


async def a_model_of(world: World, object_type: ObjectType) -> Id:
    model = await world.database.documents(Model).get(await a_model(world))
    await world.database.documents(Model).replace(model.successor(object_type=object_type), was=model)
    return model.id


async def of_type(world: World, object_type: ObjectType, *, script: str = "") -> None:
    """Make the project, and the executor that runs a script, one for some type of object."""
    project = await world.database.documents(Project).get(PROJECT)
    await world.database.documents(Project).replace(project.successor(object_type=object_type), was=project)
    if script:
        executor = await world.executor(script)
        was = await world.database.documents(Executor).get(executor.id)
        await world.database.documents(Executor).replace(was.successor(object_types=(object_type,)), was=was)


async def exported(world: World, version: Id) -> dict[str, Any]:
    asked = ExportParameters.model_validate({"source": "found", "format": "coco", "layer": LAYER, "images": False})
    outcome = await export(world.work(asked, {"/source": version}), **world.stores())
    assert outcome.result.archive is not None
    path = world.folder / "export.zip"
    path.write_bytes(await world.blobs.get(outcome.result.archive.digest))
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".json"))
        document: dict[str, Any] = json.loads(archive.read(name))
    return document
