"""What is read of one VOC file."""

from contextlib import suppress
from time import process_time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Invalid
from tests.workers.pictures import a_voc_file, an_object
from workers.formats.voc_labels import read_labels
from workers.formats.xml_tree import Node, read_tree


def read(text: str | bytes) -> tuple[object, ...]:
    data = text if isinstance(text, bytes) else text.encode()
    return read_labels(data, name="a.xml").annotations


def test_corners_are_pixels_inside_the_box_and_fractions_are_kept() -> None:
    text = a_voc_file(an_object("Cat ", box=(10.5, 20, 29.75, 20)))

    (row,) = read_labels(text.encode(), name="a.xml").annotations

    assert row.class_name == "cat"
    assert row.box == (10.5, 20.0, 20.25, 1.0)


def test_a_file_without_objects_is_annotated_as_empty() -> None:
    labels = read_labels(b"<annotation/>", name="a.xml")

    assert labels.annotations == ()


def test_everything_that_a_file_says_of_an_object_is_kept() -> None:
    more = (
        "<pose>Left</pose><truncated>1</truncated><occluded>0</occluded><difficult>1</difficult>"
        "<confidence>0.25</confidence><box_quality>0.5</box_quality><tags><colour>red</colour></tags>"
        "<attributes><attribute><name>in a tree</name><value>yes</value></attribute></attributes>"
    )

    (row,) = read_labels(a_voc_file(an_object(more=more)).encode(), name="a.xml").annotations

    assert (row.confidence, row.quality) == (0.25, 0.5)
    assert orjson.loads(row.attributes) == {
        "pose": "Left",
        "truncated": 1,
        "difficult": 1,
        "colour": "red",
        "in a tree": "yes",
    }


def test_what_ymir_writes_for_absent_numbers_is_absent() -> None:
    more = "<confidence>-1.0000</confidence><box_quality>-1.0000</box_quality>"

    (row,) = read_labels(a_voc_file(an_object(more=more)).encode(), name="a.xml").annotations

    assert (row.confidence, row.quality) == (None, None)


def test_attributes_and_quality_of_the_whole_image_are_kept() -> None:
    text = "<annotation><cks><weather>rain</weather></cks><image_quality>0.9</image_quality></annotation>"

    labels = read_labels(text.encode(), name="a.xml")

    assert orjson.loads(labels.attributes) == {"weather": "rain", "image_quality": 0.9}


def test_what_cannot_be_kept_is_told() -> None:
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"

    labels = read_labels(a_voc_file(an_object(more=part)).encode(), name="a.xml")

    assert labels.dropped == ("<object><part>",)
    assert labels.annotations[0].class_name == "cat"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "gb18030"])
def test_encodings_that_are_declared_are_understood(encoding: str) -> None:
    name = "kätzchen" if encoding == "latin-1" else "猫"
    text = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>{a_voc_file(an_object(name))}'

    labels = read_labels(text.encode(encoding), name="a.xml")

    assert labels.annotations[0].class_name == name


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("text", "line", "detail"),
    [
        ("<annotation>\n<object>\n<name>cat</name></object></annotation>", 2, "<object> has no <bndbox>"),
        (a_voc_file(an_object(box=(float("nan"), 1, 2, 3))), 3, "<xmin> is not a finite number"),
        (a_voc_file(an_object(box=(0, float("inf"), 2, 3))), 3, "<ymin> is not a finite number"),
        (a_voc_file(an_object(box=(9, 1, 2, 3))), 3, "xmin 9 greater than xmax 2"),
        (a_voc_file(an_object(box=(1, 9, 2, 3))), 3, "ymin 9 greater than ymax 3"),
        (a_voc_file(an_object().replace("<xmin>3", "<xmin>three")), 3, "<xmin> is not a number"),
        (a_voc_file(an_object().replace("<xmin>3</xmin>", "")), 3, "<bndbox> has no <xmin>"),
        (a_voc_file(an_object(" ")), 3, "is no class name"),
        (a_voc_file(an_object("a,b")), 3, "is no class name"),
        (a_voc_file(an_object(more="<confidence>1.5</confidence>")), 3, "<confidence> is not from 0 to 1"),
        ("<annotation>\n<object></annotation>", 2, "mismatched tag"),
        ("no xml", 1, "not usable XML"),
        ("", 1, "no element found"),
        ("<html/>", 1, "not <annotation>"),
        (f"{BOMB}<annotation>&b;</annotation>", 1, "entities are refused"),
        ("\n<!DOCTYPE a [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><annotation>&a;</annotation>", 2, "entities"),
        ("<a>" * 100, 1, "nested more than"),
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', 1, "encoding 'klingon'"),
        # Would take for ever: the time that Python takes to decode it grows with the square of its length.
        (f'<?xml version="1.0" encoding="punycode"?><a>{"b" * 10**6}-{"a" * 10**6}', 1, "encoding 'punycode'"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(text: str, line: int, detail: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(text)

    (fault, *_) = caught.value.faults
    assert detail in fault.detail
    assert fault.pointer == f"a.xml:{line}"
    assert caught.value.step


def test_all_that_is_wrong_in_a_file_is_named_at_once() -> None:
    text = a_voc_file(an_object(box=(9, 1, 2, 3)), an_object(), an_object(box=(1, float("nan"), 2, 3)))

    with pytest.raises(Invalid) as caught:
        read(text)

    assert [fault.pointer for fault in caught.value.faults] == ["a.xml:3", "a.xml:5"]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for document in (data, b"<annotation>" + data + b"</annotation>", b"<annotation><object>" + data):
        with suppress(Invalid):
            assert isinstance(read(document), tuple)


@given(st.data())
def test_a_file_that_was_cut_or_changed_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    whole = a_voc_file(an_object(more="<tags><a>b</a></tags>"), an_object("dog")).encode()
    place = data.draw(st.integers(0, len(whole)))
    changed = whole[:place] + data.draw(st.binary(max_size=4)) + whole[place + data.draw(st.integers(0, 9)) :]

    with suppress(Invalid):
        assert isinstance(read(changed), tuple)


def test_text_between_very_many_elements_is_read_as_fast_as_any() -> None:
    # Given text in as many pieces as there are elements between them
    pieces = 600_000

    # When it is read, beside the same elements without text
    root, seconds = timed(b"<a>" + b"x<b/>" * pieces + b"</a>")
    _, plain_seconds = timed(b"<a>" + b"<b/>" * pieces + b"</a>")

    # Then all of it is there, and its time did not grow with the square of its length (to some three times as much)
    assert root.text == "x" * pieces
    assert seconds < 3 * plain_seconds


def timed(data: bytes) -> tuple[Node, float]:
    """Read a document; return it with the processor time that this took."""
    started = process_time()
    root = read_tree(data, name="a.xml")
    return root, process_time() - started
