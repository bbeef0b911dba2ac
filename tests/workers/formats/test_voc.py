"""Which XML file belongs to which image of a VOC folder."""

from pathlib import Path

import pytest

from schemas.splits import Split
from tests.workers.pictures import a_voc_file
from workers.formats.format import Reading
from workers.formats.listing import list_files
from workers.formats.registry import detect
from workers.formats.voc import Voc


def a_folder(folder: Path, *paths: str, **texts: str) -> Path:
    """Write empty images and XML files, and other files with their text."""
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(a_voc_file() if path.endswith(".xml") else "")
    for path, text in texts.items():
        (folder / path).write_text(text)
    return folder


def read(folder: Path) -> Reading:
    return Voc().read(list_files(folder))


def matches(reading: Reading) -> dict[str, str | None]:
    return {record.image: record.labels_file for record in reading.records}


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        ("images/1.jpg", "annotations/1.xml"),
        ("JPEGImages/1.jpg", "Annotations/1.xml"),
        ("images/1.jpg", "gt/1.xml"),
        ("VOC2012/JPEGImages/a/1.jpg", "VOC2012/Annotations/a/1.xml"),
        ("train/images/1.jpg", "train/annotations/1.xml"),
        ("images/deep/1.jpg", "annotations/1.xml"),
        ("1.jpg", "1.xml"),
        ("some/where/1.v2.jpg", "some/where/1.v2.xml"),
    ],
)
def test_the_layouts_that_are_known(tmp_path: Path, image: str, labels: str) -> None:
    folder = a_folder(tmp_path, image, labels)

    reading = read(folder)

    assert detect(list_files(folder)).name == "voc"
    assert matches(reading) == {image: labels}
    assert not reading.findings
    assert not reading.faults


def test_an_image_without_a_file_of_its_own_is_not_annotated(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "images/1.jpg", "images/2.jpg", "annotations/2.xml")

    assert matches(read(folder)) == {"images/1.jpg": None, "images/2.jpg": "annotations/2.xml"}


def test_a_file_without_an_image_is_listed(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "images/1.jpg", "annotations/9.xml")

    (finding,) = read(folder).findings

    assert (finding.subject, finding.kind) == ("annotations/9.xml", "image missing")


def test_equal_names_in_different_folders_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "images/a/1.jpg", "images/b/1.jpg", "annotations/a/1.xml", "annotations/b/1.xml")

    assert matches(read(folder)) == {"images/a/1.jpg": "annotations/a/1.xml", "images/b/1.jpg": "annotations/b/1.xml"}


def test_a_file_that_matches_two_images_is_a_fault_that_names_both(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "images/a/1.jpg", "images/b/1.jpg", "annotations/1.xml")

    (fault,) = read(folder).faults

    assert fault.pointer == "annotations/1.xml"
    assert "images/a/1.jpg" in fault.detail
    assert "images/b/1.jpg" in fault.detail


def test_the_file_name_inside_tells_two_images_of_one_stem_apart(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "1.jpg", "1.png", **{"1.xml": a_voc_file(file_name="C:\\pictures\\1.png")})

    assert matches(read(folder)) == {"1.jpg": None, "1.png": "1.xml"}


def test_the_file_name_inside_is_used_where_no_stem_fits(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "1.jpg", **{"label-of-1.xml": a_voc_file(file_name="1.jpg")})

    assert matches(read(folder)) == {"1.jpg": "label-of-1.xml"}


def test_two_files_for_one_image_are_a_fault_that_names_both(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "images/1.jpg", "annotations/a/1.xml", "annotations/b/1.xml")

    (fault,) = read(folder).faults

    assert fault.pointer == "annotations/b/1.xml"
    assert "annotations/a/1.xml" in fault.detail


def test_pictures_and_files_outside_the_named_folders_are_left_out_and_listed(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "JPEGImages/1.jpg", "SegmentationClass/1.png", "annotations/1.xml", "pred/1.xml")

    reading = read(folder)

    assert matches(reading) == {"JPEGImages/1.jpg": "annotations/1.xml"}
    assert {finding.subject for finding in reading.findings} == {"SegmentationClass/1.png", "pred/1.xml"}


def test_lists_of_splits_are_read(tmp_path: Path) -> None:
    names = [f"images/{number}.jpg" for number in range(4)]
    folder = a_folder(tmp_path, *names, "annotations/0.xml", "ImageSets/Main/x.jpg")
    for name, text in {"train": "0\n1.jpg 1\n", "val": "2\n1\n", "trainval": "0\n1\n2\n3\n"}.items():
        (folder / "ImageSets" / "Main" / f"{name}.txt").write_text(text)

    reading = read(folder)

    splits = {record.image: record.split for record in reading.records}
    assert splits == dict(zip(names, (Split.TRAINING, Split.TRAINING, Split.VALIDATION, None), strict=True))
    assert [finding.subject for finding in reading.findings if finding.kind == "split"] == ["ImageSets/Main/val.txt:2"]


def test_folders_named_after_splits_give_them(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, "train/1.jpg", "valid/2.jpg", "test2017/3.jpg", "latest/4.jpg", "train/1.xml")

    splits = [record.split for record in read(folder).records]

    assert splits == [None, Split.TEST, Split.TRAINING, Split.VALIDATION]
