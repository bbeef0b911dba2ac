"""What is read of a folder in YOLO's format, and what is written."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from schemas.annotations import GROUND_TRUTH
from schemas.errors import Fault, Invalid
from schemas.splits import Split
from storage.datasets.rows import AnnotationRow, AssetRow, ImageRow
from tests.workers.formats.round_trips import read as read_again
from tests.workers.formats.round_trips import told_of, write
from workers.formats.format import FileRecord, Labels, Reading
from workers.formats.listing import list_files
from workers.formats.oriented import corners_of, oriented_box
from workers.formats.registry import detect, format_named
from workers.formats.rle import mask_of

IMAGE = ImageRow(b"", width=100, height=50)
NAMES = "names: {0: cat, 1: Dog}\n"


def a_folder(folder: Path, **files: str) -> Path:
    """Make a folder of files; images are empty ones."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def read(folder: Path, *, form: str | None = None) -> Reading:
    listing = list_files(folder)
    reading = (detect(listing) if form is None else format_named(form)).read(listing)
    return reading._replace(records=tuple(reading.records))


def records_of(reading: Reading) -> dict[str, FileRecord]:
    return {record.image: record for record in reading.records}


def labels_of(folder: Path, reading: Reading, image: str = "images/a.jpg") -> Labels:
    name = records_of(reading)[image].labels_file
    assert name is not None
    assert reading.parse is not None
    return reading.parse(folder / name, name=name, image=IMAGE)


def near(row: AnnotationRow) -> AnnotationRow:
    values: Any = {"box": pytest.approx(row.box, abs=1e-6), "rotation": pytest.approx(row.rotation, abs=1e-6)}
    return row._replace(**values)


def test_boxes_are_pixels_of_the_displayed_picture(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, **{"data.yaml": NAMES, "images/a.jpg": "", "labels/a.txt": "1 0.5 0.5 0.2 0.4\n"})

    labels = labels_of(folder, read(folder))

    assert labels.annotations == (near(AnnotationRow("dog", (40.0, 15.0, 20.0, 20.0))),)
    assert labels.displayed


def test_an_empty_file_is_annotated_as_empty_and_a_missing_one_not(tmp_path: Path) -> None:
    files = {"data.yaml": NAMES, "images/a.jpg": "", "images/b.jpg": "", "labels/a.txt": ""}
    folder = a_folder(tmp_path, **files)

    reading = read(folder)

    assert labels_of(folder, reading).annotations == ()
    assert records_of(reading)["images/b.jpg"].labels_file is None


def test_results_have_a_confidence_at_the_end(tmp_path: Path) -> None:
    lines = "0 0.5 0.5 0.2 0.4 0.75\n0 0.1 0.1 0.2 0.1 0.2 0.2 0.25\n"
    folder = a_folder(tmp_path, **{"data.yaml": NAMES, "images/a.jpg": "", "labels/a.txt": lines})

    labels = labels_of(folder, read(folder))

    assert [(len(row.polygons), row.confidence) for row in labels.annotations] == [(0, 0.75), (1, 0.25)]


@pytest.mark.parametrize(
    ("settings", "lines", "taken_for"),
    [
        (NAMES, "0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2", "yolo-obb"),
        (NAMES, "0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2\n0 0.1 0.1 0.2 0.1 0.2 0.2", "yolo-seg"),
        (NAMES + "task: segment", "0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2", "yolo-seg"),
        (NAMES + "kpt_shape: [1, 2]", "0 0.1 0.1 0.2 0.1 0.2 0.2", "yolo-pose"),
        (NAMES, "0 0.1 0.1 0.2 0.1", "yolo"),
    ],
)
def test_the_variant_is_the_one_that_settings_name_or_lines_look_like(
    tmp_path: Path, settings: str, lines: str, taken_for: str
) -> None:
    folder = a_folder(tmp_path, **{"data.yaml": settings, "images/a.jpg": "", "labels/a.txt": lines})

    assert read(folder).taken_for == taken_for


def test_a_variant_that_is_named_is_taken(tmp_path: Path) -> None:
    line = "0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2"
    folder = a_folder(tmp_path, **{"data.yaml": NAMES, "images/a.jpg": "", "labels/a.txt": line})

    labels = labels_of(folder, read(folder, form="yolo-seg"))

    assert len(labels.annotations[0].polygons[0]) == 8


def test_key_points_without_visibility_are_there_unless_they_are_at_the_origin(tmp_path: Path) -> None:
    files = {
        "data.yaml": f"{NAMES}kpt_shape: [2, 2]",
        "images/a.jpg": "",
        "labels/a.txt": "0 0.5 0.5 0.2 0.4 0.5 0.5 0 0",
    }
    folder = a_folder(tmp_path, **files)

    labels = labels_of(folder, read(folder))

    assert labels.annotations[0].keypoints == (50.0, 25.0, 2.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 0.5 0.5 0.2", "has 3 numbers after its class"),
        ("2 0.5 0.5 0.2 0.2", "class 2, which has no name"),
        ("cat 0.5 0.5 0.2 0.2", "'cat', which is no finite number"),
        ("0.5 0.5 0.5 0.2 0.2", "no number of a class"),
        ("0 0.5 nan 0.2 0.2", "no finite number"),
        ("0 0.5 0.5 1.2 0.2", "fractions of the picture are from 0 to 1"),
        ("0 0.5 0.5 0.2 0.2 1.5", "confidence 1.5"),
        ("0 0.1 0.1 0.2 0.1 0.2 9", "a point at 9"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    files = {"data.yaml": NAMES, "images/a.jpg": "", "labels/a.txt": f"0 0.5 0.5 0.1 0.1\n\n{line}\n"}
    folder = a_folder(tmp_path, **files)

    with pytest.raises(Invalid) as caught:
        labels_of(folder, read(folder))

    (fault,) = caught.value.faults
    assert fault.pointer == "labels/a.txt:3"
    assert said in fault.detail


def test_what_leaves_the_picture_by_a_little_is_clipped_and_told(tmp_path: Path) -> None:
    files = {"data.yaml": NAMES, "images/a.jpg": "", "labels/a.txt": "0 0.5 0.5 1.005 0.2\n"}
    folder = a_folder(tmp_path, **files)

    labels = labels_of(folder, read(folder))

    assert labels.annotations[0].box == pytest.approx((0.0, 20.0, 100.0, 10.0))
    assert [(finding.subject, finding.kind) for finding in labels.findings] == [("labels/a.txt:1", "clipped")]


@pytest.mark.parametrize(
    ("settings", "splits"),
    [
        ("train: images/train\nval: images/val\n", (Split.TRAINING, Split.VALIDATION)),
        ("path: ../datasets/coco8\ntrain: [images/train, images/val]\n", (Split.TRAINING, Split.TRAINING)),
        ("train: ../images/train\nval: ../images/val\n", (Split.TRAINING, Split.VALIDATION)),
        ("val: train.txt\n", (Split.VALIDATION, Split.VALIDATION)),
        ("test: images\n", (Split.TEST, Split.TEST)),
    ],
)
def test_splits_are_folders_lists_of_folders_or_lists_of_images(
    tmp_path: Path, settings: str, splits: tuple[Split, Split]
) -> None:
    files = {
        "data.yaml": NAMES + settings,
        "images/train/a.jpg": "",
        "images/val/b.jpg": "",
        "labels/train/a.txt": "",
        "labels/val/b.txt": "",
        "train.txt": "./images/train/a.jpg\n/somewhere/else/images/val/b.jpg\n",
    }
    reading = read(a_folder(tmp_path, **files))

    records = records_of(reading)
    assert tuple(record.split for record in records.values()) == splits
    assert all(record.labels_file for record in records.values())


def test_labels_may_lie_beside_images_under_a_list_of_classes(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, **{"classes.txt": "cat\ndog\n", "a.jpg": "", "a.txt": "1 0.5 0.5 0.2 0.4\n"})

    labels = labels_of(folder, read(folder), "a.jpg")

    assert [row.class_name for row in labels.annotations] == ["dog"]


def test_labels_of_an_image_that_is_not_there_are_told(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, **{"data.yaml": NAMES, "images/a.jpg": "", "labels/b.txt": ""})

    assert [(finding.subject, finding.kind) for finding in read(folder).findings] == [("labels/b.txt", "image missing")]


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ("names: 3", "data.yaml: names"),
        ("names: [cat, '']", "data.yaml: names[1]"),
        ("names: [cat]\nkpt_shape: [0]", "data.yaml: kpt_shape"),
        ("names: [cat]\ntask: dance", "data.yaml: task"),
        ("names: [cat]\ntrain: 7", "data.yaml: train"),
    ],
)
def test_what_is_wrong_with_settings_is_named_with_its_key(tmp_path: Path, settings: str, pointer: str) -> None:
    folder = a_folder(tmp_path, **{"data.yaml": settings, "images/a.jpg": ""})

    assert [fault.pointer for fault in read(folder).faults] == [pointer]


def test_settings_that_are_no_yaml_are_named_with_their_line(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, **{"data.yaml": "names: [cat\nval: }", "images/a.jpg": ""})

    with pytest.raises(Invalid) as caught:
        read(folder)

    assert caught.value.faults == (Fault(caught.value.faults[0].detail, "data.yaml:2"),)


@pytest.mark.parametrize("rotation", [0.0, 0.3, math.pi / 2, -2.0, 3.1])
def test_corners_come_back_as_the_box_that_they_were(rotation: float) -> None:
    box = (10.0, 20.0, 30.0, 4.0)

    found, turned, is_exact = oriented_box(corners_of(box, rotation))

    assert is_exact
    assert found == pytest.approx(box)
    assert turned == pytest.approx(rotation)


def test_corners_of_no_rectangle_are_kept_as_the_least_one_about_them() -> None:
    found, rotation, is_exact = oriented_box((0, 0, 10, 0, 12, 5, 0, 5))

    assert not is_exact
    assert found == pytest.approx((0.0, 0.0, 12.0, 5.0))
    assert rotation == 0.0


def a_version(*rows: AnnotationRow) -> list[AssetRow]:
    return [AssetRow(ImageRow(b"\0" * 32, "a.jpg", 40, 30, 1, 3), Split.TRAINING, {GROUND_TRUTH: rows})]


def test_what_is_written_says_all_that_ultralytics_wants(tmp_path: Path) -> None:
    version = a_version(AnnotationRow("dog", (10.0, 15.0, 20.0, 15.0)))

    write("yolo", version, tmp_path / "there", tmp_path)

    assert yaml.safe_load((tmp_path / "there" / "data.yaml").read_text()) == {
        "path": ".",
        "train": "train.txt",
        "task": "detect",
        "names": {0: "dog", 1: "big cat"},
    }
    assert (tmp_path / "there" / "train.txt").read_text() == "./images/a.jpg\n"
    assert (tmp_path / "there" / "labels" / "a.txt").read_text() == "0 0.5 0.75 0.5 0.5\n"


def test_the_outline_of_a_mask_and_of_several_polygons_is_written(tmp_path: Path) -> None:
    pixels = np.zeros((30, 40), dtype=np.bool_)
    pixels[3:9, 5:15] = True
    version = a_version(
        AnnotationRow("dog", mask=mask_of(pixels), id=b"\1" * 16),
        AnnotationRow("dog", polygons=((0, 0, 4, 0, 4, 4), (8, 8, 9, 8, 9, 9)), id=b"\2" * 16),
    )

    told = told_of(write("yolo-seg", version, tmp_path / "there", tmp_path))
    again = read_again(tmp_path / "there", version).assets["a.jpg"].annotations

    assert again is not None
    outline = [round(number, 6) for number in again[0].polygons[0]]
    assert {*zip(outline[::2], outline[1::2], strict=True)} == {(5, 3), (15, 3), (15, 9), (5, 9)}
    assert len(again[1].polygons) == 1
    assert again[1].box == pytest.approx((0.0, 0.0, 9.0, 9.0))
    assert [finding.kind for finding in told[f"a.jpg {'01' * 16}"]] == ["mask", "annotation ids"]
    assert [finding.kind for finding in told[f"a.jpg {'02' * 16}"]] == ["several polygons", "annotation ids"]


def test_a_mask_without_an_outline_leaves_its_box_or_is_told_as_left_out(tmp_path: Path) -> None:
    empty = mask_of(np.zeros((30, 40), dtype=np.bool_))
    boxed = AnnotationRow("dog", (1.0, 2.0, 3.0, 4.0), mask=empty, id=b"\1" * 16)
    version = a_version(boxed, AnnotationRow("dog", mask=empty, id=b"\2" * 16))

    told = told_of(write("yolo-seg", version, tmp_path / "there", tmp_path))
    again = read_again(tmp_path / "there", version).assets["a.jpg"].annotations

    assert again is not None
    assert [row.box for row in again] == [pytest.approx((1.0, 2.0, 3.0, 4.0))]
    assert [finding.kind for finding in told[f"a.jpg {'02' * 16}"]] == ["annotations without a place"]
