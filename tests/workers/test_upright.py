"""Pictures that are stored on their side or mirrored: executors see them as they are displayed, and so are boxes."""

import hashlib
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pytest
from PIL import Image, ImageDraw

from schemas.annotations import GROUND_TRUTH
from schemas.executors import Executor, ExecutorSubmission, Runtime
from schemas.model_parameters import InferParameters, MineParameters, TrainParameters
from schemas.models import Model
from schemas.splits import Split
from storage.datasets.content import Content, whole_segment
from storage.datasets.rows import AnnotationRow, AssetRow, ImageRow
from storage.datasets.segments import build_segment
from tests.executors.contract_run import EXECUTOR
from tests.factories import NOON
from tests.workers.loop_world import CAT, TRAINS, World, a_world
from tests.workers.test_infer_uploads import an_upload, rows_of
from workers.executors.registry import inspect
from workers.handlers.infer import infer
from workers.handlers.mine import mine
from workers.handlers.train import train
from workers.images import Limits, inspect_image, turned_upright
from workers.work import Work

WIDTH, HEIGHT = 128, 80
LAYER: Final = "sideways@epoch_2"


class Scene(NamedTuple):
    """A JPEG with one cross on noise, and its box in the picture as displayed."""

    data: bytes
    box: tuple[float, float, float, float]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


@pytest.mark.parametrize(
    ("export_format", "orientation"),
    [*(("voc:raw", orientation) for orientation in range(1, 9)), ("ark:raw", 6), ("coco:raw", 6)],
)
async def test_annotations_are_those_of_the_displayed_picture_and_files_are_upright(
    world: World, export_format: str, orientation: int
) -> None:
    shown = await world.photograph([CAT], width=40, height=60, orientation=orientation)
    other = await world.photograph([CAT], width=40, height=60, seed=1)
    inputs = {"/training/0/ref": await world.version(shown), "/validation/0": await world.version(other)}
    await world.executor(TRAINS)

    work = asked_to_train(world, inputs, executor="fake", config={"export_format": export_format})
    await train(work, **world.tools())

    image, annotations = paths_in(work.scratch / "in/train-index.tsv")
    assert box_in(annotations, export_format) == CAT.box
    with Image.open(image) as picture:
        assert (picture.size, picture.getexif().get(0x0112, 1)) == ((40, 60), 1)
    # What is upright already is the cached file itself.
    assert (image.stat().st_nlink > 1) is (orientation == 1)


async def test_the_reference_executor_puts_boxes_where_objects_are_displayed(world: World) -> None:
    model = await a_detector(world, config={"image_size": 96})
    scenes = [a_scene(number) for number in range(100, 110)]
    source = {"/source": await world.version(await kept(world, scenes))}
    named = {"executor": "tiny-detector", "model": {"id": model.id}}
    uploads = [await an_upload(world, f"{number}.jpg", scene.data) for number, scene in enumerate(scenes)]

    asked = InferParameters.model_validate({**named, "source": "pool", "dataset": "predicted"})
    on_version = await world.rows(await infer(world.work(asked, source), **world.infer_tools()))
    asked = InferParameters.model_validate({**named, "uploads": uploads})
    on_uploads = await rows_of(world, await infer(world.work(asked), **world.infer_tools()))
    mining = {"source": "pool", "dataset": "mined", "top_k": 10, "strategy": "two_stage", "keep_predictions": True}
    mined = await world.rows(
        await mine(world.work(MineParameters.model_validate({**named, **mining}), source), **world.tools())
    )

    for rows in (on_version, on_uploads, mined):
        overlaps = sorted(best_overlap(row, scenes) for row in rows.values())
        assert len(overlaps) == len(scenes)
        assert overlaps[len(overlaps) // 4] > 0.5, overlaps


def asked_to_train(world: World, inputs: Mapping[str, Any], *, executor: str, config: Mapping[str, Any]) -> Work[Any]:
    fields = {
        "executor": executor,
        "training": [{"ref": "a"}],
        "validation": ["b"],
        "model": "sideways",
        "classes": ["cat"],
        "config": config,
    }
    return world.work(TrainParameters.model_validate(fields), inputs)


def paths_in(index: Path) -> list[Path]:
    """Return the image and the annotations of an index with one line."""
    return [Path(path) for path in index.read_text().strip().split("\t")]


def box_in(path: Path, export_format: str) -> tuple[float, ...]:
    """Return the only box of a file: x, y, width, height."""
    if export_format == "coco:raw":
        (annotation,) = json.loads(path.read_text())["annotations"]
        return tuple(annotation["bbox"])
    if export_format == "ark:raw":
        x0, y0, x1, y1 = (float(value) for value in path.read_text().split(",")[1:5])
    else:
        box = ET.parse(path).find("object/bndbox")  # noqa: S314 - we wrote it ourselves
        assert box is not None
        x0, y0, x1, y1 = (float(box.findtext(side) or "") for side in ("xmin", "ymin", "xmax", "ymax"))
    return x0, y0, x1 - x0 + 1, y1 - y0 + 1


async def a_detector(world: World, *, config: Mapping[str, Any]) -> Model:
    """Train the reference executor on pictures of which none is stored as it is displayed."""
    submission = ExecutorSubmission(name="tiny-detector", runtime=Runtime.PROCESS, reference=str(EXECUTOR))
    await world.database.documents(Executor).add(inspect(submission, roots=[EXECUTOR.parent], at=NOON))
    inputs = {
        "/training/0/ref": await world.version(await kept(world, [a_scene(number) for number in range(28)])),
        "/validation/0": await world.version(await kept(world, [a_scene(number) for number in range(28, 35)])),
    }
    work = asked_to_train(world, inputs, executor="tiny-detector", config=config)
    return await world.keep_model(await train(work, **world.tools()))


async def kept(world: World, scenes: Sequence[Scene]) -> Content:
    """Keep scenes as an import would."""
    images, labels = [], []
    for scene in scenes:
        path = world.folder / "scene.jpg"
        path.write_bytes(scene.data)
        image = inspect_image(path, name="scene.jpg", limits=Limits())
        assert isinstance(image, ImageRow)
        await world.blobs.put(scene.data, media_type=image.media_type)
        images.append(image)
        labels.append([AnnotationRow(class_name="cat", box=scene.box)])
    built = build_segment(images, labels, layer=GROUND_TRUTH, described=True)
    segment = await world.library.keep_segment(built)
    return whole_segment(segment, rows=len(scenes), layer=GROUND_TRUTH, split=Split.NONE)


def a_scene(seed: int) -> Scene:
    """Return a picture stored in one of the seven ways that are not upright."""
    random = np.random.default_rng(seed)
    image = Image.fromarray(random.integers(90, 130, (HEIGHT, WIDTH), dtype=np.uint8))
    side = int(random.integers(22, 36))
    x, y = int(random.integers(2, WIDTH - side - 2)), int(random.integers(2, HEIGHT - side - 2))
    draw = ImageDraw.Draw(image)
    draw.line((x, y, x + side - 1, y + side - 1), fill=10, width=5)
    draw.line((x, y + side - 1, x + side - 1, y), fill=10, width=5)
    orientation = 2 + seed % 7
    exif, written = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    turned_upright(image, {6: 8, 8: 6}.get(orientation, orientation)).save(written, "JPEG", quality=95, exif=exif)
    return Scene(written.getvalue(), (x, y, side, side))


def best_overlap(row: AssetRow, scenes: Sequence[Scene]) -> float:
    """Return the IoU of what was found with most confidence and the object that is there."""
    (truth,) = (scene.box for scene in scenes if row.asset == hashlib.sha256(scene.data).hexdigest())
    found = max(row.layers[LAYER], key=lambda one: one.confidence or 0.0, default=AnnotationRow(box=(0, 0, 0, 0))).box
    assert found is not None
    sides = [
        max(0.0, min(truth[axis] + truth[axis + 2], found[axis] + found[axis + 2]) - max(truth[axis], found[axis]))
        for axis in (0, 1)
    ]
    shared = sides[0] * sides[1]
    return shared / (truth[2] * truth[3] + found[2] * found[3] - shared)
