"""What is read of a folder with CVAT documents."""

import math
from contextlib import suppress
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Invalid
from schemas.splits import Split
from storage.datasets.mask_pixels import pixels_of
from storage.datasets.rows import AnnotationRow
from tests.workers.formats.reading import Read, faults_of, read
from workers.formats.cvat import Cvat
from workers.formats.listing import list_files
from workers.formats.registry import detect

NAME = "annotations.xml"
LABEL = "<label><name>car</name><attributes>{}</attributes></label>"
ATTRIBUTE = "<attribute><name>{}</name><mutable>False</mutable><input_type>{}</input_type></attribute>"


def a_document(*images: str, meta: str = "", encoding: str = "utf-8") -> str:
    head = f'<?xml version="1.0" encoding="{encoding}"?>\n<annotations>\n  <version>1.1</version>\n'
    return f"{head}<meta><task>{meta}</task></meta>\n" + "\n".join(images) + "\n</annotations>\n"


def an_image(*shapes: str, name: str = "1.jpg", more: str = "") -> str:
    inside = "\n".join(shapes)
    return f'<image id="0" name={quoteattr(name)} width="40" height="30" {more}>\n{inside}\n</image>'


def a_box(more: str = "", inside: str = "", *, corners: str = 'xtl="1" ytl="2" xbr="4.5" ybr="6"') -> str:
    return f'<box label="Car" {corners} occluded="0" source="manual" z_order="0" {more}>{inside}</box>'


def read_one(folder: Path, *shapes: str, meta: str = "") -> Read:
    return read(folder, "cvat", {"images/1.jpg": b"", NAME: a_document(an_image(*shapes), meta=meta)})


def test_boxes_come_with_all_that_they_say(tmp_path: Path) -> None:
    more = 'rotation="350.00" occluded="1" z_order="3" source="auto"'
    box = f'<box label="Car" xtl="1.10" ytl="2" xbr="4.50" ybr="6" {more}></box>'

    found = read_one(tmp_path, box)

    (row,) = found.rows
    assert row == AnnotationRow(
        "car",
        (1.1, 2.0, 3.4, 4.0),
        rotation=math.radians(-10),
        attributes='{"occluded":true,"source":"auto","z_order":3}',
    )
    assert found.only.size == (40, 30)
    assert found.only.displayed
    assert not found.dropped
    assert not found.faults


def test_attributes_have_the_types_that_are_declared(tmp_path: Path) -> None:
    kinds = {"age": "number", "fast": "checkbox", "brand": "text", "size": "number", "odd": "number", "on": "checkbox"}
    meta = LABEL.format("".join(ATTRIBUTE.format(key, kind) for key, kind in kinds.items()))
    values = {"age": "3", "fast": "true", "brand": " true ", "size": "-1.5", "odd": "nan", "on": "maybe", "new": "3"}
    inside = "".join(f'<attribute name="{key}">{value}</attribute>' for key, value in values.items())

    found = read_one(tmp_path, a_box(inside=inside).replace("Car", "car"), meta=meta)

    assert found.rows[0].attributes == (
        '{"age":3,"brand":" true ","fast":true,"new":"3","odd":"nan","on":"maybe","size":-1.5}'
    )


def test_shapes_of_one_group_and_label_are_one_object(tmp_path: Path) -> None:
    polygon = '<polygon label="Car" points="{}" group_id="2"></polygon>'

    found = read_one(
        tmp_path,
        polygon.format("1,1;6,1;6,6"),
        polygon.format("2,2;3,2;3,3.5"),
        a_box('group_id="2"'),
        polygon.format("1,1;6,1;6,6").replace("2", "0"),
    )

    assert found.rows == (
        AnnotationRow(
            "car",
            (1.0, 2.0, 3.5, 4.0),
            polygons=((1.0, 1.0, 6.0, 1.0, 6.0, 6.0), (2.0, 2.0, 3.0, 2.0, 3.0, 3.5)),
        ),
        AnnotationRow("car", (1.0, 1.0, 5.0, 5.0), polygons=((1.0, 1.0, 6.0, 1.0, 6.0, 6.0),)),
    )


def test_masks_are_runs_within_a_rectangle(tmp_path: Path) -> None:
    found = read_one(tmp_path, '<mask label="car" rle="1, 3, 2" left="4" top="3" width="3" height="2"></mask>')

    (row,) = found.rows
    assert row.mask is not None
    pixels = pixels_of(row.mask)
    assert pixels.shape == (30, 40)
    assert {(int(y), int(x)) for y, x in zip(*pixels.nonzero(), strict=True)} == {(3, 5), (3, 6), (4, 4)}
    assert row.box == (4.0, 3.0, 3.0, 2.0)


def test_points_and_skeletons_are_key_points(tmp_path: Path) -> None:
    points = '<points label="{}" outside="{}" occluded="{}" points="{}"></points>'
    skeleton = points.format("2", 0, 1, "3,4") + points.format("10", 1, 0, "9,9") + points.format("1", 0, 0, "1,2")

    found = read_one(
        tmp_path,
        '<points label="nose" occluded="1" points="1,2;3,4"></points>',
        f'<skeleton label="person" z_order="0">{skeleton}</skeleton>',
    )

    nose, person = found.rows
    assert nose == AnnotationRow("nose", keypoints=(1.0, 2.0, 1.0, 3.0, 4.0, 1.0))
    assert person == AnnotationRow("person", keypoints=(1.0, 2.0, 2.0, 3.0, 4.0, 1.0, 0.0, 0.0, 0.0))


def test_tags_are_attributes_of_the_whole_image(tmp_path: Path) -> None:
    tag = '<tag label="{}"><attribute name="weather">{}</attribute></tag>'

    found = read_one(tmp_path, tag.format("Night", "rain"), tag.format("day", "sun"), tag.format("night", "rain"))

    assert found.only.attributes == '{"labels":["night","day"],"weather":"rain"}'
    assert found.dropped == ("a second value of the attribute 'weather' of the whole image",)


def test_subsets_are_splits(tmp_path: Path) -> None:
    images = [an_image(name="a/1.jpg", more='subset="Train"'), an_image(name="b/1.jpg", more='subset="Validation"')]

    found = read(tmp_path, "cvat", {"images/a/1.jpg": b"", "images/b/1.jpg": b"", NAME: a_document(*images)})

    assert [*found.splits.values()] == [Split.TRAINING, Split.VALIDATION]
    assert not found.faults


def test_images_that_are_missing_or_not_listed_are_told(tmp_path: Path) -> None:
    found = read(tmp_path, "cvat", {"images/2.jpg": b"", NAME: a_document(an_image())})

    assert {(finding.subject, finding.kind) for finding in found.reading.findings} == {
        (f"{NAME}:5", "image missing"),
        ("images/2.jpg", "no entry"),
    }
    assert found.labels == {"images/2.jpg": None}


def test_what_cannot_be_kept_is_told(tmp_path: Path) -> None:
    line = '<polyline label="car" points="1,1;2,2"></polyline>'
    skeleton = (
        '<skeleton label="p"><points label="nose" points="1,2"><attribute name="a">b</attribute></points></skeleton>'
    )

    found = read_one(tmp_path, line, a_box('mood="calm"'), skeleton, '<cuboid label="car"/>')

    assert found.dropped == (
        "<polyline>",
        "<box mood>",
        "attributes of the points of a skeleton",
        "the names of the points of a skeleton",
        "<cuboid>",
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_documents_come_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    stated = "utf-8" if encoding == "utf-8-sig" else encoding
    text = a_document(an_image(a_box().replace("Car", "\N{LATIN SMALL LETTER U WITH DIAERESIS}ber")), encoding=stated)

    found = read(tmp_path, "cvat", {"images/1.jpg": b"", NAME: text.encode(encoding)})

    assert [row.class_name for row in found.rows] == ["\N{LATIN SMALL LETTER U WITH DIAERESIS}ber"]


def test_videos_are_refused_with_what_to_export_instead(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").touch()
    (tmp_path / NAME).write_text(a_document('<track id="0" label="car"><box frame="0"/></track>'))

    with pytest.raises(Invalid, match="CVAT for video") as caught:
        Cvat().read(list_files(tmp_path))

    assert "CVAT for images 1.1" in caught.value.step
    assert caught.value.faults[0].pointer == f"{NAME}:5"


@pytest.mark.parametrize(
    ("shape", "detail"),
    [
        (a_box(corners='xtl="1" ytl="2" xbr="0" ybr="6"'), "<box> has corners 1, 2 beyond 0, 6"),
        (a_box(corners='xtl="1" ytl="2" xbr="4"'), "<box> has no finite number as ybr: ''"),
        (a_box(corners='xtl="1" ytl="x" xbr="4" ybr="5"'), "<box> has no finite number as ytl: 'x'"),
        (a_box('rotation="inf"'), "no finite number as rotation"),
        (a_box('group_id="1.5"'), "no whole number as group_id"),
        (a_box('group_id="9999999999999"'), "no whole number as group_id"),
        ('<box xtl="1" ytl="2" xbr="4" ybr="5"/>', "a label that is no class name"),
        ('<polygon label="car" points="1,1;2,2"/>', "at least 3 points"),
        ('<polygon label="car" points="1,1;2;3,3"/>', "a point that is not two numbers: '2'"),
        ('<points label="car" points="1,nan"/>', "not finite"),
        ('<points label="car"/>', "not two numbers"),
        ('<mask label="car" rle="1, 2" left="0" top="0" width="2" height="2"/>', "do not add up to 4"),
        ('<mask label="car" rle="5, -1" left="0" top="0" width="2" height="2"/>', "do not add up to 4"),
        ('<mask label="car" rle="a" left="0" top="0" width="2" height="2"/>', "not whole numbers"),
        ('<mask label="car" rle="4" left="39" top="0" width="2" height="2"/>', "reaches out of the image"),
        ('<mask label="car" rle="99999999999999999999" left="0" top="0" width="2" height="2"/>', "not whole numbers"),
        ('<skeleton label="car"><points label="1" points="1,2;3,4"/></skeleton>', "not a single point"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, shape: str, detail: str) -> None:
    found = read_one(tmp_path, a_box(), shape)

    (fault,) = found.faults
    assert fault.pointer == f"{NAME}:7"
    assert detail in fault.detail


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (a_document(an_image(), an_image()), 8),
        (a_document("<image/>"), 5),
        ("<annotations><version>1.1</version></annotation>", 1),
        (a_document(an_image(a_box()))[:-40], 6),
        ('<!DOCTYPE a [<!ENTITY x "y">]>\n<annotations/>', 1),
        ('<!DOCTYPE a [\n<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<annotations>&x;</annotations>', 2),
        ("<annotations>" + "<a>" * 50, 1),
    ],
)
def test_a_document_that_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    faults = faults_of(tmp_path, "cvat", {"images/1.jpg": b"", NAME: text})

    assert faults[0].pointer == f"{NAME}:{line}"


def test_an_image_that_a_single_line_lists_twice_is_a_fault(tmp_path: Path) -> None:
    text = a_document(an_image(), an_image()).replace("\n", "")

    faults = faults_of(tmp_path, "cvat", {"images/1.jpg": b"", NAME: text})

    assert "is listed in line 1 as well" in faults[0].detail


def test_files_of_voc_are_not_taken_for_cvat(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").touch()
    (tmp_path / "1.xml").write_text("<annotation><object/></annotation>")

    assert detect(list_files(tmp_path)).name == "voc"


words = st.text(alphabet='abc019.,;- &<>"\u00e4', max_size=8)
names = st.sampled_from(["box", "polygon", "points", "mask", "skeleton", "tag", "ellipse", "polyline"])
keys = st.sampled_from(["label", "xtl", "ytl", "xbr", "ybr", "points", "rle", "left", "top", "width", "height", "cx"])


@given(names, st.dictionaries(keys, words))
def test_any_shape_is_read_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory, name: str, given: dict[str, str]
) -> None:
    said = " ".join(f"{key}={quoteattr(value)}" for key, value in given.items())

    found = read_one(tmp_path_factory.mktemp("cvat"), f"<{name} {said}></{name}>")

    assert len(found.faults) + len(found.rows) <= 1


@given(st.binary(max_size=100) | st.text(alphabet="<>/annotimge =\"'!&;[]", max_size=100).map(str.encode))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("cvat")
    (folder / "a.xml").write_bytes(b"<annotations>" + data)

    with suppress(Invalid):
        assert Cvat().read(list_files(folder)).total == 0
