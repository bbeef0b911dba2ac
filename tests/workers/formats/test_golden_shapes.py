"""Files that other tools made, described in golden/datumaro_cvat_labelme.md, and what is read of them."""

import math
from pathlib import Path

import numpy as np
import pytest

from schemas.splits import Split
from storage.datasets.rows import AnnotationRow, MaskRow
from tests.workers.formats.reading import read as read_folder
from workers.formats.format import Labels, Reading
from workers.formats.rle import mask_of

GOLDEN = Path(__file__).parent / "golden"
TWO_POLYGONS = ((1.0, 1.0, 6.0, 1.0, 6.0, 6.0), (2.0, 2.0, 3.0, 2.0, 3.0, 3.5))
DOG = AnnotationRow("dog", (1.0, 1.0, 5.0, 5.0), polygons=TWO_POLYGONS)


def the_mask() -> MaskRow:
    pixels = np.zeros((30, 40), dtype=np.bool_)
    pixels[3:9, 4:20] = True
    pixels[5, 6] = False
    return mask_of(pixels)


def read(name: str) -> tuple[Reading, dict[str, Labels | None], dict[str, Split | None]]:
    """Return the reading of a folder, and the labels and splits of its images by name."""
    found = read_folder(GOLDEN / name, name, {})
    assert not found.faults
    return found.reading, found.labels, found.splits


def test_ark() -> None:
    reading, labels, splits = read("ark")

    rows = {name.rpartition("/")[2][:4]: found and found.annotations for name, found in labels.items()}
    cat = AnnotationRow("cat", (4.0, 2.0, 10.0, 11.0), quality=0.5)
    tv = AnnotationRow("tv", (3.0, 4.0, 6.0, 6.0))
    assert len(rows) == 6
    assert rows["c836"] == (cat, tv)
    assert rows["8e37"] == (cat._replace(box=(2.0, 2.0, 10.0, 11.0)), tv._replace(rotation=0.25))
    assert rows["edc8"] == ()
    assert {*splits.values()} == {None}
    assert {(finding.subject.split("/")[0], finding.kind) for finding in reading.findings} == {
        ("predictions", "left out")
    }


def test_datumaro() -> None:
    reading, labels, splits = read("datumaro")

    first = labels["images/train/0.jpg"]
    assert first is not None
    *rows, ellipse = first.annotations
    assert rows == [
        AnnotationRow("cat", (1.0, 2.0, 3.5, 4.0), attributes='{"age":3,"fast":false,"occluded":true,"z_order":2}'),
        DOG,
        AnnotationRow("cat", (0.0, 0.0, 20.0, 20.0), mask=the_mask()),
        AnnotationRow("cat", keypoints=(1.0, 2.0, 2.0, 3.0, 4.5, 0.0)),
    ]
    assert ellipse.box == pytest.approx((2, 4, 8, 4))
    assert first.attributes == '{"captions":["two animals"],"frame":7,"labels":["animal"]}'
    assert first.size == (40, 30)
    assert first.dropped == ("annotations of the type 'polyline'", "the form of ellipses, which become polygons,")
    assert labels["images/train/1.jpg"] == Labels(size=(40, 30))
    last = labels["images/val/2.jpg"]
    assert last is not None
    assert last.annotations == (AnnotationRow("dog", (5.0, 6.0, 7.0, 8.0), confidence=0.25),)
    assert [*splits.values()] == [Split.TRAINING, Split.TRAINING, Split.VALIDATION]
    assert {finding.subject.partition(": ")[2] for finding in reading.findings} == {
        "categories.label.labels[].parent",
        "categories.points",
    }


def test_cvat() -> None:
    reading, labels, splits = read("cvat")

    first, last = labels["images/0.jpg"], labels["images/2.jpg"]
    assert first is not None
    assert last is not None
    assert first.annotations == (
        AnnotationRow("cat", (1.0, 2.0, 3.5, 4.0), attributes='{"age":"3","fast":"false","occluded":true,"z_order":2}'),
        DOG,
        AnnotationRow("cat", (0.0, 0.0, 20.0, 20.0), mask=the_mask()),
        AnnotationRow("cat", keypoints=(1.0, 2.0, 2.0, 3.0, 4.5, 2.0)),
    )
    assert first.attributes == '{"labels":["animal"]}'
    assert first.displayed
    assert first.dropped == ("<polyline>",)
    assert labels["images/1.jpg"] == Labels(size=(40, 30), displayed=True)
    assert last.annotations[1] == AnnotationRow("dog", (6.0, 8.0, 8.0, 4.0), rotation=math.radians(30))
    assert [*splits.values()] == [Split.TRAINING, Split.TRAINING, Split.VALIDATION]
    assert not list(reading.findings)


def test_labelme() -> None:
    reading, labels, _ = read("labelme")

    first = labels["0.jpg"]
    assert first is not None
    cat, dog, mask, ball, nose = first.annotations
    assert cat == AnnotationRow("cat", (1.0, 2.0, 3.5, 4.0), attributes='{"description":"sleeps","occluded":true}')
    assert dog == DOG
    assert mask == AnnotationRow("cat", (4.0, 3.0, 16.0, 6.0), mask=the_mask())
    assert ball.box == pytest.approx((5, 5, 10, 10))
    assert nose == AnnotationRow("nose", keypoints=(1.0, 2.0, 2.0))
    assert first.attributes == '{"indoors":true,"night":false}'
    assert first.dropped == (
        "reviewer",
        "the form of circles, which become polygons,",
        "shapes of the type line",
        "shapes of the type linestrip",
    )
    assert labels["1.jpg"] == Labels(size=(40, 30), displayed=True)
    assert not list(reading.findings)
