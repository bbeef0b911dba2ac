"""What is read of a folder with LabelMe files."""

import base64
import io
import tracemalloc
from contextlib import suppress
from json import dumps
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from schemas.errors import Invalid
from storage.datasets.mask_pixels import pixels_of
from storage.datasets.rows import AnnotationRow, ImageRow
from tests.workers.formats.reading import Read, read
from workers.formats.labelme import LabelMe, parse_file
from workers.formats.listing import list_files

NAME = "1.json"


def a_shape(kind: Any = "rectangle", *points: list[float], **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    shape = {"label": "Cat", "points": list(points) or [[1, 2], [4.5, 6]], "group_id": None, "shape_type": kind}
    return {**shape, "description": "", "flags": {}, "mask": None, **changes}


def a_file(*shapes: Any, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    head: dict[str, Any] = {
        "version": "5.5.0",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": "1.jpg",
        "imageData": None,
    }
    return {**head, "imageHeight": 30, "imageWidth": 40, **changes}


def read_one(folder: Path, *shapes: Any, **changes: Any) -> Read:  # noqa: ANN401 - any JSON
    return read(folder, "labelme", {"1.jpg": b"", NAME: a_file(*shapes, **changes)})


def a_picture(width: int = 3, height: int = 2) -> str:
    pixels = np.ones((height, width), dtype=np.uint8)
    pixels[0, 0] = 0
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def test_rectangles_come_with_all_that_they_say(tmp_path: Path) -> None:
    more: dict[str, Any] = {
        "flags": {"occluded": True},
        "description": "sleeps",
        "attributes": {"age": 3},
        "score": 0.5,
    }

    found = read_one(tmp_path, a_shape(annotation_id="0a" * 16, **more), flags={"indoors": True})

    (row,) = found.rows
    assert row == AnnotationRow(
        "cat",
        (1.0, 2.0, 3.5, 4.0),
        confidence=0.5,
        attributes='{"age":3,"description":"sleeps","occluded":true}',
        id=b"\x0a" * 16,
    )
    assert found.only.attributes == '{"indoors":true}'
    assert found.only.displayed
    assert not found.dropped
    assert not found.faults


def test_corners_come_in_any_order_and_number(tmp_path: Path) -> None:
    found = read_one(
        tmp_path, a_shape("rectangle", [4.5, 2], [1, 6]), a_shape("rectangle", [1, 2], [4.5, 2], [4.5, 6], [1, 6])
    )

    assert [row.box for row in found.rows] == [(1.0, 2.0, 3.5, 4.0)] * 2


def test_polygons_of_one_group_are_one_object(tmp_path: Path) -> None:
    found = read_one(
        tmp_path,
        a_shape("polygon", [1, 1], [6, 1], [6, 6], group_id=0),
        a_shape("polygon", [2, 2], [3, 2], [3, 3], group_id=0),
        a_shape("polygon", [2, 2], [3, 2], [3, 3]),
    )

    assert [len(row.polygons) for row in found.rows] == [2, 1]


def test_points_of_one_group_are_key_points_in_their_order(tmp_path: Path) -> None:
    found = read_one(
        tmp_path,
        a_shape("point", [1, 2], group_id=4),
        a_shape("point", [3, 4], group_id=4, flags={"occluded": True}),
        a_shape("point", [5, 6]),
    )

    assert [row.keypoints for row in found.rows] == [(1.0, 2.0, 2.0, 3.0, 4.0, 1.0), (5.0, 6.0, 2.0)]


def test_masks_are_pictures_at_their_place(tmp_path: Path) -> None:
    found = read_one(tmp_path, a_shape("mask", [4, 3], [6, 4], mask=a_picture()))

    (row,) = found.rows
    assert row.mask is not None
    pixels = pixels_of(row.mask)
    assert pixels.shape == (30, 40)
    assert pixels[3:5, 4:7].tolist() == [[False, True, True], [True, True, True]]
    assert int(pixels.sum()) == 5


def test_circles_become_polygons_and_lines_are_left_out_and_both_are_told(tmp_path: Path) -> None:
    found = read_one(tmp_path, a_shape("circle", [10, 10], [13, 14]), a_shape("line"), a_shape("linestrip"), mood="x")

    assert [row.box for row in found.rows] == [pytest.approx((5, 5, 10, 10))]
    assert found.dropped == (
        "mood",
        "the form of circles, which become polygons,",
        "shapes of the type line",
        "shapes of the type linestrip",
    )


def test_files_are_found_by_the_image_that_they_name_else_by_their_own_name(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "labelme",
        {
            "images/a.jpg": b"",
            "images/b.jpg": b"",
            "images/c.png": b"",
            "images/d.jpg": b"",
            "json/x.json": a_file(a_shape(), imagePath="..\\images\\a.jpg"),
            "json/b.json": a_file(imagePath="C:\\somewhere\\b.jpg"),
            "json/c.json": a_file(imagePath="c.jpg"),
            "json/gone.json": a_file(imagePath="gone.jpg"),
        },
    )

    counts = {name: labels and len(labels.annotations) for name, labels in found.labels.items()}
    assert counts == {"images/a.jpg": 1, "images/b.jpg": 0, "images/c.png": 0, "images/d.jpg": None}
    assert [finding.subject for finding in found.reading.findings] == ["json/gone.json"]


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    text = "\ufeff" + dumps(a_file(a_shape(shape_type=None, points=[[1, 1], [6, 1], [6, 6]])))

    assert len(read(tmp_path, "labelme", {"1.jpg": b"", NAME: text}).rows) == 1


def test_a_name_without_an_end_takes_no_memory_to_look_for(tmp_path: Path) -> None:
    # Given a file whose name of an image is ten million letters long
    (tmp_path / "a.json").write_bytes(b'{"shapes": [], "imagePath": "' + b"a" * 10**7 + b'"}')
    (tmp_path / "a.jpg").touch()

    # When it is looked at
    tracemalloc.start()
    reading = LabelMe().read(list_files(tmp_path))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # Then its own name counts, and not even the file was in memory
    assert [record.labels_file for record in reading.records] == ["a.json"]
    assert most < 10**7


def test_two_files_of_one_image_are_a_fault_that_names_both(tmp_path: Path) -> None:
    found = read(tmp_path, "labelme", {"1.jpg": b"", "a.json": a_file(), "b.json": a_file()})

    (fault,) = found.faults
    assert (fault.pointer, "a.json" in fault.detail) == ("b.json", True)


def test_the_picture_in_a_file_is_cut_out_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.formats.labelme.BYTES_AT_MOST", 2_000)
    picture = base64.b64encode(bytes(100_000)).decode()

    found = read_one(tmp_path, a_shape(), imageData=picture)

    assert len(found.rows) == 1
    assert not found.faults


def test_a_picture_without_its_image_is_told_with_what_to_do(tmp_path: Path) -> None:
    picture = base64.b64encode(bytes(1_000)).decode()

    found = read(tmp_path, "labelme", {"2.jpg": b"", NAME: a_file(a_shape(), imageData=picture)})

    (finding,) = found.reading.findings
    assert (finding.subject, finding.kind) == (NAME, "image missing")
    assert "'1.jpg'" in finding.detail
    assert "decode it (base64)" in finding.detail


def test_coordinates_are_of_the_displayed_picture_unless_the_size_says_otherwise(tmp_path: Path) -> None:
    turned = ImageRow(b"", width=30, height=40, orientation=6)
    files: dict[str, object] = {"1.jpg": b"", NAME: a_file(a_shape())}

    stored = read(tmp_path, "labelme", files, image=turned)
    displayed = read(tmp_path, "labelme", {NAME: a_file(a_shape(), imageWidth=30, imageHeight=40)}, image=turned)

    assert not stored.only.displayed
    assert displayed.only.displayed


@pytest.mark.parametrize(
    ("shape", "path", "detail"),
    [
        (7, "shapes[1]", "is not an object"),
        (a_shape(label=7), "shapes[1].label", "is no class name"),
        (a_shape(points=[]), "shapes[1].points", "has no point"),
        (a_shape(points=[[1, 2, 3]]), "shapes[1].points[0]", "has 3 numbers, not 2"),
        (a_shape(points=[["1", 2]]), "shapes[1].points[0][0]", "is not a number"),
        (a_shape(points=[[1, 2]]), "shapes[1].points", "has 1 points; a rectangle needs 2"),
        (a_shape("polygon", [1, 2], [3, 4]), "shapes[1].points", "at least 3 points"),
        (a_shape("blob"), "shapes[1].shape_type", "'blob'"),
        (a_shape(["polygon"]), "shapes[1].shape_type", "is no text"),
        (a_shape(group_id="a"), "shapes[1].group_id", "is not a whole number"),
        (a_shape(score=2), "shapes[1].score", "is not from 0 to 1"),
        (a_shape(flags=[1]), "shapes[1].flags", "is not an object"),
        (a_shape(annotation_id="7"), "shapes[1].annotation_id", "is no annotation id"),
        (a_shape("mask", mask="abc"), "shapes[1].mask", "is no PNG picture"),
        (a_shape("mask", mask=None), "shapes[1].mask", "is no PNG picture"),
        (a_shape("mask", [39, 3], [40, 4], mask=a_picture()), "shapes[1].mask", "reaches out of the image"),
        (a_shape("mask", [-1, 3], [40, 4], mask=a_picture()), "shapes[1].points", "reaches out of the image"),
    ],
)
def test_what_is_wrong_is_named_with_its_json_path(tmp_path: Path, shape: Any, path: str, detail: str) -> None:  # noqa: ANN401 - any JSON
    found = read_one(tmp_path, a_shape(), shape)

    (fault,) = found.faults
    assert fault.pointer == f"{NAME}: {path}"
    assert detail in fault.detail


def test_what_is_no_json_is_named_with_its_line(tmp_path: Path) -> None:
    text = dumps(a_file(a_shape()), indent=1)

    found = read(tmp_path, "labelme", {"1.jpg": b"", NAME: text[:-3], "2.jpg": b"", "2.json": ""})

    (fault,) = found.faults
    assert fault.pointer == f"{NAME}:{text.count(chr(10))}"


json = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=6,
)
kinds = st.sampled_from(["rectangle", "polygon", "circle", "point", "points", "line", "mask", "x"])
fields = ("label", "points", "group_id", "flags", "description", "mask", "attributes", "score", "rotated")


@given(kinds, st.dictionaries(st.sampled_from(fields), json))
def test_any_shape_is_read_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory, kind: str, changes: dict[str, Any]
) -> None:
    found = read_one(tmp_path_factory.mktemp("labelme"), a_shape(kind, **changes))

    assert len(found.faults) + len(found.rows) <= 1


@given(st.dictionaries(st.sampled_from(["flags", "shapes", "imageWidth", "attributes"]), json))
def test_any_file_is_read_or_has_faults(tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any]) -> None:
    folder = tmp_path_factory.mktemp("labelme")

    read(folder, "labelme", {"1.jpg": b"", NAME: a_file(a_shape(), **changes)}, detected=False)


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("labelme")
    (folder / "a.json").write_bytes(b'{"shapes": [], "imagePath": ' + data)

    assert LabelMe().read(list_files(folder)).total == 0
    with suppress(Invalid):
        parse_file(folder / "a.json", name="a.json", image=None)


def test_a_class_with_the_name_of_a_key_of_coco_is_a_class(tmp_path: Path) -> None:
    assert [row.class_name for row in read_one(tmp_path, a_shape(label="images")).rows] == ["images"]
