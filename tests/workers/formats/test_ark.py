"""What is read of a folder with ark files."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Invalid
from schemas.splits import Split
from storage.datasets.rows import AnnotationRow
from tests.workers.formats.reading import read
from workers.formats.ark_lines import ArkFiles
from workers.formats.listing import list_files
from workers.formats.registry import detect

TEXT = "annotations/1.txt"


def test_lines_are_boxes_whose_corners_lie_inside(tmp_path: Path) -> None:
    lines = "0, 1, 2, 10, 21\n1,1.5,2,10,21,0.5\n\n1, 1, 2, 10, 21, -1, 0.25\n"

    found = read(tmp_path, "ark", {"images/1.jpg": b"", TEXT: lines, "classes.txt": "Cat\nbig dog\n"})

    assert found.rows == (
        AnnotationRow("cat", (1.0, 2.0, 10.0, 20.0)),
        AnnotationRow("big dog", (1.5, 2.0, 9.5, 20.0), quality=0.5),
        AnnotationRow("big dog", (1.0, 2.0, 10.0, 20.0), rotation=0.25),
    )
    assert not found.faults
    assert not list(found.reading.findings)


def test_classes_may_be_names(tmp_path: Path) -> None:
    found = read(tmp_path, "ark", {"1.jpg": b"", "1.txt": "cat, 1, 2, 10, 21\n"})

    assert found.rows == (AnnotationRow("cat", (1.0, 2.0, 10.0, 20.0)),)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.csv", "# type_id, preserved, main type name, alias...\n0,,Cat,kitten\n1,,dog\n"),
        ("labels.csv", "0,cat\n1,dog,hound\n"),
        ("labels.yaml", "labels:\n- {id: 0, name: cat, aliases: []}\n- {id: 1, name: dog}\nymir_version: 2.0.0\n"),
        ("annotations/labels.txt", "cat\ndog"),
    ],
)
def test_numbers_get_their_names_from_lists_of_all_kinds(tmp_path: Path, name: str, text: str) -> None:
    found = read(tmp_path, "ark", {"images/1.jpg": b"", TEXT: "1, 1, 2, 10, 21\n", name: text})

    assert [row.class_name for row in found.rows] == ["dog"]


def test_the_nearest_list_of_classes_counts(tmp_path: Path) -> None:
    line = "0, 1, 2, 10, 21\n"
    files: dict[str, object] = {"a/images/1.jpg": b"", "a/annotations/1.txt": line, "a/classes.txt": "cat"}

    found = read(tmp_path, "ark", {**files, "b/images/2.jpg": b"", "b/annotations/2.txt": line, "classes.txt": "dog"})

    assert [row.class_name for row in found.rows] == ["cat", "dog"]


def test_a_number_without_a_list_is_a_fault_that_says_what_to_add(tmp_path: Path) -> None:
    found = read(tmp_path, "ark", {"images/1.jpg": b"", TEXT: "0, 1, 2, 10, 21\n"})

    (fault,) = found.faults
    assert fault.pointer == f"{TEXT}:1"
    assert "add classes.txt" in fault.detail


def test_an_index_pairs_files_and_lists_splits(tmp_path: Path) -> None:
    line = "cat, 1, 2, 10, 21\n"
    found = read(
        tmp_path,
        "ark",
        {
            "assets/ab/1.jpg": b"",
            "assets/2.jpg": b"",
            "assets/3.jpg": b"",
            "annotations/x.txt": line,
            "annotations/2.txt": line * 2,
            "train-index.tsv": "/in/assets/ab/1.jpg\t/in/annotations/x.txt\n",
            "val-index.tsv": "assets/2.jpg\tannotations/2.txt\n\nassets/9.jpg\tannotations/9.txt\n",
        },
    )

    assert [len(labels.annotations) if labels else None for labels in found.labels.values()] == [2, None, 1]
    assert [*found.splits.values()] == [Split.VALIDATION, None, Split.TRAINING]
    assert [finding.subject for finding in found.reading.findings] == ["val-index.tsv:3"]


def test_indexes_of_the_first_releases_are_named_by_their_folder(tmp_path: Path) -> None:
    files: dict[str, object] = {"assets/1.jpg": b"", "annotations/1.txt": "cat, 1, 2, 3, 4"}

    found = read(tmp_path, "ark", {**files, "val/index.tsv": "assets/1.jpg\tannotations/1.txt\n"})

    assert [*found.splits.values()] == [Split.VALIDATION]


def test_an_empty_file_says_that_there_is_nothing_and_none_says_nothing(tmp_path: Path) -> None:
    files: dict[str, object] = {"images/1.jpg": b"", TEXT: "cat, 1, 2, 3, 4", "images/2.jpg": b""}

    found = read(tmp_path, "ark", {**files, "images/3.jpg": b"", "annotations/3.txt": ""})

    assert [labels and len(labels.annotations) for labels in found.labels.values()] == [1, None, 0]


def test_predictions_alone_are_taken(tmp_path: Path) -> None:
    found = read(tmp_path, "ark", {"images/1.jpg": b"", "predictions/1.txt": "cat, 1, 2, 3, 4"})

    assert len(found.rows) == 1
    assert not list(found.reading.findings)


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("cat, 1, 2, 3", "has 4 fields"),
        ("cat, 1, 2, 3, 4, 5, 6, 7", "has 8 fields"),
        ("cat, 1, two, 3, 4", "no finite number as ymin: 'two'"),
        ("cat, 1, 2, inf, 4", "no finite number as xmax"),
        ("cat, 1, 2, 0, 4", "xmin 1 greater than xmax 0"),
        ("2, 1, 2, 3, 4", "class number 2; the list of classes has 2"),
        ("-1, 1, 2, 3, 4", "class number -1"),
        ("99999999999999999999, 1, 2, 3, 4", "class number 99999999999999999999"),
        ("a\x01b, 1, 2, 3, 4", "no class name"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, line: str, detail: str) -> None:
    files: dict[str, object] = {"images/1.jpg": b"", TEXT: f"0, 1, 2, 3, 4\n{line}\n", "classes.txt": "cat\ndog"}

    found = read(tmp_path, "ark", files)

    (fault,) = found.faults
    assert fault.pointer == f"{TEXT}:2"
    assert detail in fault.detail


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("labels.csv", "0,,cat\n2,,dog\n", "labels.csv:2"),
        ("classes.txt", "cat\n\ndog\n", "classes.txt:2"),
        ("labels.yaml", "labels: [cat", "labels.yaml"),
        ("labels.yaml", "labels: 7", "labels.yaml"),
    ],
)
def test_a_list_of_classes_that_is_wrong_is_a_fault(tmp_path: Path, name: str, text: str, where: str) -> None:
    found = read(tmp_path, "ark", {"images/1.jpg": b"", TEXT: "0, 1, 2, 3, 4", name: text})

    assert where in {fault.pointer for fault in found.faults}


def test_a_file_that_is_not_utf_8_is_named_with_the_line(tmp_path: Path) -> None:
    found = read(tmp_path, "ark", {"images/1.jpg": b"", TEXT: b"cat, 1, 2, 3, 4\n\xff, 1, 2, 3, 4\n"})

    assert [fault.pointer for fault in found.faults] == [f"{TEXT}:2"]


def test_files_of_yolo_are_not_taken_for_ark(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    (tmp_path / "images/1.jpg").touch()
    (tmp_path / "labels/1.txt").write_text("0 0.5 0.5 0.1 0.1\n")

    assert detect(list_files(tmp_path)).name != "ark"


def test_a_list_of_images_does_not_make_voc_ark(tmp_path: Path) -> None:
    files = {
        "JPEGImages/1.jpg": "",
        "Annotations/1.xml": "<annotation></annotation>",
        "index.tsv": "/a/1.jpg\n/a/2.jpg\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    assert detect(list_files(tmp_path)).name == "voc"


@given(st.text(alphabet="0123456789-+.,eEinfa \n\t\r", max_size=60) | st.text(max_size=30))
def test_any_text_is_read_or_has_faults(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("ark")
    (folder / "1.txt").write_text(text, encoding="utf-8", errors="replace")
    (folder / "classes.txt").write_text("cat\ndog\n")
    reading = read(folder, "ark", {"1.jpg": b""}, detected=False).reading

    assert isinstance(reading.parse, ArkFiles)
    with suppress(Invalid):
        reading.parse(folder / "1.txt", name="1.txt", image=None)
