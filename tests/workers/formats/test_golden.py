"""Files that other tools made, described in golden/README.md, and what is read of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.annotations import GROUND_TRUTH
from schemas.exchange_parameters import UnknownClasses
from schemas.splits import Split
from storage.datasets.rows import AnnotationRow, ImageRow, MaskRow
from workers.formats.listing import base_name, list_files
from workers.formats.registry import detect
from workers.formats.rle import mask_of
from workers.images import Limits, inspect_image
from workers.importing.classes import ClassResolver
from workers.importing.inspecting import said_of
from workers.importing.job import Job

GOLDEN = Path(__file__).parent / "golden"

Read = dict[str, tuple[Split | None, Mapping[str, tuple[AnnotationRow, ...]]]]


def read(folder: Path, form: str) -> Read:
    """Return the split and layers of each image of a folder, by file name, as an import reads them."""
    listing = list_files(folder)
    found = detect(listing)
    reading = found.read(listing)
    assert (reading.taken_for or found.name) == form
    assert not reading.faults
    job = Job(folder, (), Limits(), GROUND_TRUTH, parse=reading.parse, parse_part=reading.parse_part)
    came: Read = {}
    for record in reading.records:
        image = inspect_image(folder / record.image, name=record.image, limits=Limits())
        assert isinstance(image, ImageRow)
        one, layers = said_of(job, record, image, ClassResolver({}, policy=UnknownClasses.ADD))
        assert not one.faults
        came[base_name(record.image)] = record.split, layers
    return came


def the_mask() -> MaskRow:
    pixels = np.zeros((30, 40), dtype=np.bool_)
    pixels[3:9, 4:20] = True
    pixels[5, 6] = False
    return mask_of(pixels)


def near(row: AnnotationRow) -> AnnotationRow:
    """Return what is equal to a row whose box is as near as matters."""
    box: Any = pytest.approx(row.box, abs=1e-3)
    return row._replace(box=box)


def test_voc_of_datumaro() -> None:
    found = read(GOLDEN / "voc", "voc")

    split, layers = found["0.jpg"]
    cat, dog = layers[GROUND_TRUTH]
    assert split is Split.TRAINING
    assert cat == AnnotationRow("cat", (4.0, 5.0, 11.0, 13.0), attributes='{"difficult":1,"pose":"Left","truncated":1}')
    assert dog.box == (0.0, 0.0, 41.0, 31.0)
    assert found["1.jpg"] == (Split.TRAINING, {})
    assert found["2.jpg"][0] is Split.VALIDATION


def test_coco_of_datumaro() -> None:
    found = read(GOLDEN / "coco", "coco")

    polygons = ((1.0, 1.0, 6.0, 1.0, 6.0, 6.0), (8.0, 8.0, 9.0, 8.0, 9.0, 9.5))
    assert found["0.jpg"] == (
        Split.TRAINING,
        {
            GROUND_TRUTH: (
                AnnotationRow("cat", (4.5, 5.25, 10.0, 12.0)),
                AnnotationRow("dog", (1.0, 1.0, 8.0, 8.5), polygons=polygons, area=11.0),
                AnnotationRow("dog", (4.0, 3.0, 16.0, 6.0), mask=the_mask(), crowd=True, area=95.0),
            )
        },
    )
    assert found["1.jpg"] == (Split.TRAINING, {GROUND_TRUTH: ()})
    cat = AnnotationRow("cat", (4.0, 5.0, 10.0, 12.0), attributes='{"difficult":true,"pose":"Left","truncated":true}')
    assert found["2.jpg"] == (Split.VALIDATION, {GROUND_TRUTH: (cat,)})


def test_yolo_of_datumaro() -> None:
    found = read(GOLDEN / "yolo", "yolo")

    boxes = AnnotationRow("cat", (4.0, 5.0, 10.0, 12.0)), AnnotationRow("dog", (0.0, 0.0, 40.0, 30.0))
    assert found["0.jpg"] == (Split.TRAINING, {GROUND_TRUTH: tuple(map(near, boxes))})
    assert found["1.jpg"] == (Split.TRAINING, {GROUND_TRUTH: ()})
    assert found["2.jpg"][0] is Split.VALIDATION


def test_masks_and_results_of_pycocotools() -> None:
    _, layers = read(GOLDEN / "coco_masks", "coco")["7.jpg"]

    first, second, third = layers[GROUND_TRUTH]
    assert first.mask == second.mask == the_mask()
    assert (first.crowd, second.crowd) == (False, True)
    assert third.mask is not None
    (result,) = layers["results"]
    assert (result.class_name, result.confidence, result.mask) == ("cat", 0.75, the_mask())


def test_boxes_and_a_brush_of_label_studios_converter() -> None:
    found = read(GOLDEN / "label-studio", "label-studio")

    boxes = AnnotationRow("dog", (15.0, 9.0, 10.0, 12.0)), AnnotationRow("cat", (3.0, 4.5, 2.0, 3.0))
    assert found["0.jpg"] == (None, {GROUND_TRUTH: tuple(map(near, boxes))})
    (brush,) = found["1.jpg"][1][GROUND_TRUTH]
    assert brush == AnnotationRow("cat", (4.0, 3.0, 16.0, 6.0), mask=the_mask(), author="ann@example.org")
