"""Versions to export, and an export run as the consumer would run it."""

import io
import zipfile
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from schemas.annotations import ATTRIBUTES, GROUND_TRUTH
from schemas.datasets import Version
from schemas.exchange_parameters import ExportParameters
from schemas.outcomes import Outcome
from schemas.schema import new_id
from schemas.splits import Split
from schemas.tasks import Input
from storage.datasets.packing import packed
from storage.datasets.rows import AnnotationRow, ImageRow
from tests.factories import NOON, PROJECT, a_task
from tests.workers.imports import Place
from tests.workers.pictures import a_jpeg
from workers.formats.rle import mask_of
from workers.handlers.export import export
from workers.images import Limits, inspect_image
from workers.importing.inspecting import LayerPack
from workers.importing.segments import Gathered, Segments
from workers.work import Work


def boxes() -> tuple[AnnotationRow, ...]:
    """Return annotations that VOC can hold whole."""
    return (
        AnnotationRow("cat", (1.0, 2.0, 3.0, 4.0), attributes='{"colour":"red & <blue>","difficult":1,"pose":"Left"}'),
        AnnotationRow("cat", (1.0, 2.0, 3.0, 4.0)),
        AnnotationRow("big dog", (10.1, 2.3, 5.3, 7.77), rotation=0.25, confidence=0.123456789, quality=0.5),
        AnnotationRow("dog", (0.0, 0.0, 30.0, 30.0), attributes='{"in a tree":"ja","名":"値"}'),
    )


def shapes() -> tuple[AnnotationRow, ...]:
    """Return annotations that COCO can hold whole."""
    picture = np.zeros((30, 40), dtype=np.bool_)
    picture[3:9, 4:20] = True
    return (
        *boxes(),
        AnnotationRow("dog", (0.25, 0.5, 0.5, 0.25), crowd=True, author="someone"),
        AnnotationRow("dog", (1, 1, 5, 5), polygons=((1, 1, 6, 1, 6, 6), (2, 2, 3, 2, 3, 3.5)), area=12.5),
        AnnotationRow("dog", (4, 3, 16, 6), mask=mask_of(picture), area=96.0, attributes='{"deep":{"er":[1,null]}}'),
        AnnotationRow("cat", (1, 1, 9, 9), keypoints=(1.0, 2.0, 2.0, 0.0, 0.0, 0.0, 4.5, 5.0, 1.0)),
    )


def gathered(row: ImageRow, split: Split, annotations: tuple[AnnotationRow, ...] | None, attributes: str) -> Gathered:
    """Return an asset as an import has it."""
    said: dict[str, tuple[AnnotationRow, ...]] = {}
    if attributes:
        said[ATTRIBUTES] = (AnnotationRow(attributes=attributes),)
    if annotations is not None:
        said[GROUND_TRUTH] = annotations
    place = np.zeros(1, np.int32)
    layers = {layer: LayerPack(place, packed([rows], assets=[row.asset], layer=layer)) for layer, rows in said.items()}
    return Gathered(row, split, layers, 0, len(annotations or ()))


async def a_version(place: Place, *images: tuple[str, int, Split, tuple[AnnotationRow, ...] | None, str]) -> Version:
    """Keep a version of pictures: file name, orientation, split, annotations, attributes of the whole image."""
    segments = Segments(layer=GROUND_TRUTH, base=None, library=place.library)
    for seed, (name, orientation, split, annotations, attributes) in enumerate(images):
        path = place.folder / "picture.jpg"
        path.write_bytes(a_jpeg(seed, orientation=orientation))
        row = inspect_image(path, name=name, limits=Limits())
        assert not hasattr(row, "reason")
        await place.blobs.put_file(path)
        await segments.add([gathered(row, split, annotations, attributes)])
    kept = await place.library.keep(await segments.content())
    version = Version(
        id=new_id(),
        project=PROJECT,
        dataset="2" * 32,
        dataset_name="pictures",
        number=await place.database.documents(Version).count() + 1,
        digest=kept.digest,
        manifest=kept.manifest,
        task="3" * 32,
        made_by="import",
        created_at=NOON,
    )
    await place.database.documents(Version).add(version)
    return version


async def exported(place: Place, version: Version, format: str, **parameters: Any) -> Outcome:  # noqa: ANN401 - any field
    asked = ExportParameters.model_validate({"source": "pictures", "format": format, **parameters})
    task = a_task(parameters=asked, inputs=(Input(pointer="/source", ref="pictures", version=version.id),))
    scratch = Path(mkdtemp(dir=place.folder))
    return await export(
        Work(task, asked, scratch=scratch, now=lambda: NOON),
        library=place.library,
        blobs=place.blobs,
        database=place.database,
    )


async def archive_of(place: Place, outcome: Outcome) -> zipfile.ZipFile:
    assert outcome.result.archive is not None
    assert outcome.result.archive.media_type == "application/zip"
    return zipfile.ZipFile(io.BytesIO(await place.blobs.get(outcome.result.archive.digest)))
