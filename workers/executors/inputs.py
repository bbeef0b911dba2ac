"""The input folder of a run: images, annotations and indexes, written as they are read from a version."""

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml
from pydantic import JsonValue

from schemas.annotations import LayerName
from schemas.models import Model
from schemas.schema import Digest
from storage.cache import BlobCache
from storage.datasets.rows import AssetRow
from workers.executors.contract import ExportFormat
from workers.executors.layout import ANNOTATIONS, ASSETS, CONFIGURATION, ENVIRONMENT, MODELS, Layout, RunFolder
from workers.executors.preprocessing import Preprocessor
from workers.executors.scratch import scratch_errors
from workers.formats.ark_writer import ark_text
from workers.formats.class_numbers import ClassNumbers
from workers.formats.coco_writer import coco_document
from workers.formats.exporter import ExportedImage, exported_image
from workers.formats.voc_writer import voc_xml
from workers.packages import unpack_stage

BATCH: Final = 256
EXTENSIONS: Final = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/bmp": "bmp",
    "image/webp": "webp",
    "image/tiff": "tiff",
}


Annotate = Callable[[Sequence[AssetRow]], Sequence[str | None]]
"""Writes the annotations of some images and returns the file of each, relative to the input folder."""


def image_path(row: AssetRow) -> str:
    """Return where an image lies under the input folder: ``assets/<last two hex>/<64 hex>.<ext>``."""
    return f"{ASSETS}/{row.asset[-2:]}/{row.asset}.{EXTENSIONS.get(row.image.media_type, 'jpg')}"


async def write_images(
    rows: AsyncIterator[AssetRow],
    folder: RunFolder,
    *,
    cache: BlobCache,
    each: Callable[[Sequence[AssetRow]], None],
    preprocessor: Preprocessor,
) -> None:
    """Bring every image into the input folder; ``each`` is called in a thread for some at a time, in their order.

    What the preprocessor leaves alone is linked, of others it writes files of its own; ``each`` is told of what the
    executor sees.
    """
    batch: list[AssetRow] = []
    async for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            await _write_batch(batch, folder, cache=cache, each=each, preprocessor=preprocessor)
            batch = []
    if batch:
        await _write_batch(batch, folder, cache=cache, each=each, preprocessor=preprocessor)


def index_lines(
    rows: Sequence[AssetRow], *, layout: Layout, annotations: Sequence[str | None] | None = None
) -> list[str]:
    """Return a line of an index file for each image: its path and, if there is one, that of its annotations."""
    files = annotations or [None] * len(rows)
    return [
        f"{layout.root_in}/{image_path(row)}\n"
        if file is None
        else f"{layout.root_in}/{image_path(row)}\t{layout.root_in}/{file}\n"
        for row, file in zip(rows, files, strict=True)
    ]


def annotator(
    export_format: ExportFormat, folder: RunFolder, *, layer: LayerName, classes: Sequence[str], name: str
) -> Annotate:
    """Return what writes annotations in a format. COCO's is one document, ``name``, written by ``write_coco``."""
    given = folder.given

    def each(rows: Sequence[AssetRow], suffix: str, content: Callable[[ExportedImage], bytes]) -> list[str]:
        files = [f"{ANNOTATIONS}/{row.asset[-2:]}/{row.asset}.{suffix}" for row in rows]
        for row, file in zip(rows, files, strict=True):
            (given / file).parent.mkdir(parents=True, exist_ok=True)
            (given / file).write_bytes(content(exported_image(row, layer=layer, name=Path(image_path(row)).name)))
        return files

    def voc(rows: Sequence[AssetRow]) -> Sequence[str | None]:
        return each(rows, "xml", voc_xml)

    numbers = ClassNumbers(classes, first=0, closed=True)

    def ark(rows: Sequence[AssetRow]) -> Sequence[str | None]:
        return each(rows, "txt", lambda image: ark_text(image, classes=numbers, whole=True))

    writers: Mapping[ExportFormat, Annotate] = {
        ExportFormat.VOC: voc,
        ExportFormat.ARK: ark,
        ExportFormat.COCO: lambda rows: [f"{ANNOTATIONS}/{name}.json"] * len(rows),
        ExportFormat.NONE: lambda rows: [None] * len(rows),
    }
    return writers[export_format]


def write_coco(
    rows: Sequence[AssetRow], folder: RunFolder, *, layer: LayerName, classes: Sequence[str], name: str
) -> None:
    """Write one COCO document of some images, named by their paths under ``assets/``."""
    names = (image_path(row).removeprefix(f"{ASSETS}/") for row in rows)
    images = (exported_image(row, layer=layer, name=name) for row, name in zip(rows, names, strict=True))
    document = coco_document(images, classes=classes)
    (folder.given / ANNOTATIONS / f"{name}.json").write_bytes(document)


async def write_model(
    model: Model, stage: str, folder: RunFolder, *, layout: Layout, cache: BlobCache
) -> tuple[str, ...]:
    """Unpack a stage into the input folder and return its files as the executor sees them."""
    async with cache.use([model.package.digest]) as (package,):
        with scratch_errors():
            files = await asyncio.to_thread(unpack_stage, package, stage, folder.given / MODELS / stage)
    return tuple(f"{layout.root_in}/{MODELS}/{stage}/{file}" for file in files)


def write_settings(
    folder: RunFolder, *, environment: Mapping[str, JsonValue], configuration: Mapping[str, JsonValue]
) -> None:
    """Write env.yaml and config.yaml."""
    for name, values in ((ENVIRONMENT, environment), (CONFIGURATION, configuration)):
        text = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
        (folder.given / name).write_text(text, encoding="utf-8")


async def _write_batch(
    rows: Sequence[AssetRow],
    folder: RunFolder,
    *,
    cache: BlobCache,
    each: Callable[[Sequence[AssetRow]], None],
    preprocessor: Preprocessor,
) -> None:
    digests: list[Digest] = [f"sha256:{row.asset}" for row in rows]
    with scratch_errors():
        async with cache.use(digests) as paths:
            targets = [folder.given / image_path(row) for row in rows]
            seen = await _made(rows, paths, targets, preprocessor)
        await asyncio.to_thread(each, seen)


async def _made(
    rows: Sequence[AssetRow], paths: Sequence[Path], targets: Sequence[Path], preprocessor: Preprocessor
) -> Sequence[AssetRow]:
    """Return images as the executor sees them, their files made or linked."""
    seen = await asyncio.to_thread(lambda: [preprocessor.row(row) for row in rows])
    same = [number for number, row in enumerate(seen) if row is rows[number]]
    await asyncio.to_thread(_link_all, [paths[number] for number in same], [targets[number] for number in same])
    others = sorted(set(range(len(rows))).difference(same))
    new = await asyncio.to_thread(lambda: [number for number in others if _is_new(targets[number])])
    await preprocessor.make([(rows[number], paths[number], targets[number]) for number in new])
    preprocessor.saw(len(rows))
    return seen


def _is_new(target: Path) -> bool:
    target.parent.mkdir(parents=True, exist_ok=True)
    return not target.exists()


def _link_all(paths: Sequence[Path], targets: Sequence[Path]) -> None:
    for path, target in zip(paths, targets, strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            continue  # an image of both sets
        try:
            os.link(path, target)
        except OSError as error:
            # Another file system, or one link too many.
            if error.errno not in {errno.EXDEV, errno.EMLINK, errno.EPERM}:
                raise
            shutil.copyfile(path, target)
