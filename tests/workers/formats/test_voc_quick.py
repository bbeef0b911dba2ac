"""The quick way to read a VOC file says what the careful one says, or nothing."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import Invalid
from tests.workers.pictures import a_voc_file, an_object
from workers.formats.format import Labels
from workers.formats.voc_labels import careful_labels
from workers.formats.voc_quick import quick_labels

texts = st.sampled_from(["", " ", "0", "1", "-1.0", "0.5", "2", "1e999", "nan", "unknown", "Left", "cat", "<b/>", "é"])
names = st.sampled_from(
    ["name", "pose", "truncated", "difficult", "confidence", "box_quality", "cm", "tags", "attributes", "other"]
)
corners = st.lists(
    st.tuples(st.sampled_from(["xmin", "ymin", "xmax", "ymax", "rotate_angle"]), texts | st.integers(0, 9).map(str)),
    max_size=6,
)
usual = st.just([("xmin", "1"), ("ymin", "2.5"), ("xmax", "7"), ("ymax", "9")])
tops = st.sampled_from(
    ["folder", "size", "image_quality", "cks", "attributes", "object", "other", "source", "segmented"]
)


def elements(pairs: list[tuple[str, str]]) -> str:
    return "".join(f"<{name}>{text}</{name}>" for name, text in pairs)


objects = st.builds(
    lambda more, box: f"<object><name>Cat</name><bndbox>{elements(box)}</bndbox>{elements(more)}</object>",
    st.lists(st.tuples(names, texts), max_size=3),
    usual | corners,
)
files = st.builds(
    lambda objects, more: f"<annotation>{elements(more)}{''.join(objects)}</annotation>",
    st.lists(objects, max_size=2),
    st.lists(st.tuples(tops, texts), max_size=2),
)


@settings(max_examples=300)
@given(files | st.text(max_size=30))
def test_what_is_read_quickly_is_what_is_read_carefully(text: str) -> None:
    found = quick_labels(text.encode())

    assert found is None or found == careful_labels(text.encode(), name="a.xml")


def test_the_usual_file_is_read_quickly() -> None:
    more = "<pose>Left</pose><truncated>0</truncated><difficult>1</difficult><confidence>-1.0</confidence>"
    text = a_voc_file(an_object("Big Cat", box=(1, 2, 3, 4)), an_object(more=more))

    found = quick_labels(text.encode())

    assert isinstance(found, Labels)
    assert found == careful_labels(text.encode(), name="a.xml")


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY b "c">]><annotation/>',
        "<annotation><object><name>cat</name></object></annotation>",
        "<annotation><!-- a comment --></annotation>",
        "<annotation>" + "<a>" * 50 + "</a>" * 50 + "</annotation>",
        "<annotation>",
    ],
)
def test_what_is_unusual_is_left_to_the_careful_way(text: str) -> None:
    assert quick_labels(text.encode()) is None
    with suppress(Invalid):
        careful_labels(text.encode(), name="a.xml")
