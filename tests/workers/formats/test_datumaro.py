"""What is read of a folder with Datumaro documents."""

import math
from contextlib import suppress
from json import dumps
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Invalid
from schemas.splits import Split
from storage.datasets.rows import AnnotationRow, MaskRow
from tests.workers.formats.reading import Read, read
from workers.formats.datumaro import Datumaro
from workers.formats.listing import list_files
from workers.formats.rle import text_of

NAME = "annotations/default.json"
LABELS = {"label": {"labels": [{"name": "Cat", "parent": ""}, {"name": "dog", "parent": ""}], "attributes": []}}


def an_annotation(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {"id": 1, "type": "bbox", "attributes": {}, "group": 0, "label_id": 0, "bbox": [1, 2, 3.5, 4], **changes}


def an_item(*annotations: Any, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    image = {"path": "1.jpg", "size": [30, 40]}
    return {"id": "1", "annotations": list(annotations), "image": image, **changes}


def a_document(*items: Any, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {"dm_format_version": "1.0", "infos": {}, "categories": LABELS, "items": list(items), **changes}


def read_one(folder: Path, *annotations: Any, **item: Any) -> Read:  # noqa: ANN401 - any JSON
    return read(folder, "datumaro", {"images/1.jpg": b"", NAME: a_document(an_item(*annotations, **item))})


def test_boxes_come_with_all_that_they_say(tmp_path: Path) -> None:
    said = {"occluded": True, "score": 0.5, "is_crowd": True, "rotation": 90, "annotation_id": "0a" * 16}

    found = read_one(tmp_path, an_annotation(attributes=said, z_order=3, object_id=4))

    (row,) = found.rows
    assert row == AnnotationRow(
        "cat",
        (1.0, 2.0, 3.5, 4.0),
        rotation=math.pi / 2,
        crowd=True,
        confidence=0.5,
        attributes='{"object_id":4,"occluded":true,"z_order":3}',
        id=b"\x0a" * 16,
    )
    assert found.only.size == (40, 30)
    assert not found.faults
    assert not found.dropped


def test_shapes_of_one_group_and_class_are_one_object(tmp_path: Path) -> None:
    mask = {"size": [2, 3], "counts": text_of([2, 3, 1])}
    found = read_one(
        tmp_path,
        an_annotation(group=1),
        an_annotation(type="polygon", points=[1, 1, 6, 1, 6, 6], bbox=None, group=1),
        an_annotation(type="polygon", points=[2, 2, 3, 2, 3, 3], bbox=None, group=1),
        an_annotation(type="mask", rle=mask, bbox=None, group=1),
        an_annotation(type="points", points=[1, 2, 3, 4], visibility=[2, 0], bbox=None, group=1),
        an_annotation(type="bbox", label_id=1, group=1),
    )

    assert found.rows == (
        AnnotationRow(
            "cat",
            (1.0, 2.0, 3.5, 4.0),
            polygons=((1.0, 1.0, 6.0, 1.0, 6.0, 6.0), (2.0, 2.0, 3.0, 2.0, 3.0, 3.0)),
            mask=MaskRow(2, 3, text_of([2, 3, 1])),
            keypoints=(1.0, 2.0, 2.0, 3.0, 4.0, 0.0),
            attributes='{"group":1}',
        ),
        AnnotationRow("dog", (1.0, 2.0, 3.5, 4.0), attributes='{"group":1}'),
    )


def test_two_boxes_of_a_group_are_two_objects_that_know_it(tmp_path: Path) -> None:
    found = read_one(tmp_path, an_annotation(group=7), an_annotation(bbox=[0, 0, 1, 1], group=7))

    assert [row.attributes for row in found.rows] == ['{"group":7}', '{"group":7}']


def test_shapes_that_contradict_each_other_stay_apart(tmp_path: Path) -> None:
    polygon = an_annotation(type="polygon", points=[1, 1, 6, 1, 6, 6], group=1, attributes={"age": 2})

    found = read_one(tmp_path, an_annotation(group=1, attributes={"age": 1}), {**polygon, "bbox": None})

    assert len(found.rows) == 2


def test_turned_boxes_of_newer_releases(tmp_path: Path) -> None:
    found = read_one(tmp_path, an_annotation(type="rotated_bbox", points=[10, 8, 6, 4, 180], bbox=None))

    assert found.rows == (AnnotationRow("cat", (7.0, 6.0, 6.0, 4.0), rotation=math.pi),)


def test_what_is_of_the_whole_image_becomes_its_attributes(tmp_path: Path) -> None:
    label = {"id": 0, "type": "label", "attributes": {"sure": True}, "group": 0, "label_id": 1}

    found = read_one(tmp_path, label, {"type": "caption", "caption": "a dog"}, attr={"frame": 3})

    assert found.only.attributes == '{"captions":["a dog"],"frame":3,"labels":["dog"],"sure":true}'
    assert found.rows == ()


def test_subsets_are_splits_and_items_are_found_by_path_or_id(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "datumaro",
        {
            "images/train/1.jpg": b"",
            "images/val/1.jpg": b"",
            "images/val/b.png": b"",
            "images/c.jpg": b"",
            "annotations/train.json": a_document(an_item(an_annotation())),
            "annotations/val.json": a_document(an_item(), {"id": "b", "annotations": []}, {"id": "gone"}),
        },
    )

    assert found.splits == {
        "images/c.jpg": None,
        "images/train/1.jpg": Split.TRAINING,
        "images/val/1.jpg": Split.VALIDATION,
        "images/val/b.png": Split.VALIDATION,
    }
    assert found.labels["images/c.jpg"] is None
    assert {(finding.subject, finding.kind) for finding in found.reading.findings} == {
        ("annotations/val.json: items[2]", "image missing"),
        ("images/c.jpg", "no entry"),
    }
    assert not found.faults


def test_documents_of_old_releases_have_no_version(tmp_path: Path) -> None:
    document = {"info": {}, "categories": LABELS, "items": [an_item(an_annotation())]}

    assert len(read(tmp_path, "datumaro", {"images/1.jpg": b"", NAME: document}).rows) == 1


def test_a_byte_order_mark_is_no_part_of_the_document(tmp_path: Path) -> None:
    text = "\ufeff" + dumps(a_document(an_item(an_annotation())))

    assert len(read(tmp_path, "datumaro", {"images/1.jpg": b"", NAME: text}).rows) == 1


def test_what_cannot_be_kept_is_told(tmp_path: Path) -> None:
    line = {"id": 0, "type": "polyline", "points": [1, 1, 2, 2], "label_id": 0}

    found = read_one(tmp_path, line, {**line, "type": "cuboid_3d"}, an_annotation(mood="calm"), source="x")

    assert found.dropped == (
        "items[].source",
        "annotations of the type 'polyline'",
        "annotations of the type 'cuboid_3d'",
        "bbox annotations[].mood",
    )


@pytest.mark.parametrize(
    ("changes", "path", "detail"),
    [
        ({"bbox": [1, 2, 3]}, ".bbox", "has 3 numbers, not 4"),
        ({"bbox": [1, 2, -3, 4]}, ".bbox", "negative size"),
        ({"bbox": ["1", 2, 3, 4]}, ".bbox[0]", "is not a number"),
        ({"bbox": None}, ".bbox", "is not a list"),
        ({"label_id": 2}, ".label_id", "not among the 2 labels"),
        ({"label_id": "0"}, ".label_id", "not among"),
        ({"group": "a"}, ".group", "is not a whole number"),
        ({"attributes": [1]}, ".attributes", "is not an object"),
        ({"attributes": {"annotation_id": "7"}}, ".attributes.annotation_id", "is no annotation id"),
        ({"attributes": {"rotation": "left"}}, ".attributes.rotation", "is not a number"),
        ({"type": "polygon", "points": [1, 2, 3, 4]}, ".points", "at least 3 points"),
        ({"type": "mask", "rle": {"size": [2, 3], "counts": "!"}}, ".rle", "is no mask"),
        ({"type": "mask", "rle": 7}, ".rle", "is no mask"),
        ({"type": "points", "points": [1, 2], "visibility": [3]}, ".visibility", "is not 0, 1 or 2"),
        ({"type": "points", "points": [1, 2], "visibility": [1, 2]}, ".visibility", "has 2 numbers"),
        ({"type": 7}, "", "with a type"),
    ],
)
def test_what_is_wrong_is_named_with_its_json_path(
    tmp_path: Path, changes: dict[str, Any], path: str, detail: str
) -> None:
    data = a_document(an_item(an_annotation(), an_annotation(**changes)))
    text = dumps(data)

    found = read(tmp_path, "datumaro", {"images/1.jpg": b"", NAME: text})

    (fault,) = found.faults
    assert fault.pointer == f"{NAME}: items[0].annotations[1]{path}"
    assert detail in fault.detail


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (a_document(an_item(), an_item()), "items[1]"),
        (a_document({"annotations": []}), "items[0]"),
        (a_document(an_item(attr=[1])), "items[0].attr"),
        (a_document(an_item(image={"path": "1.jpg", "size": [1]})), "items[0].image.size"),
        (a_document(an_item(annotations={})), "items[0].annotations"),
        (a_document(items={}), "items"),
        (a_document(categories=[]), "categories"),
        (a_document(categories={"label": {"labels": [{"name": "a,b"}]}}), "categories.label.labels[0].name"),
        ({"dm_format_version": "1.0", "items": []}, "categories"),
    ],
)
def test_a_document_that_is_wrong_is_named(tmp_path: Path, document: dict[str, Any], path: str) -> None:
    found = read(tmp_path, "datumaro", {"images/1.jpg": b"", NAME: document})

    assert f"{NAME}: {path}" in {fault.pointer for fault in found.faults}


json = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["size", "counts", "a"]), inner),
    max_leaves=6,
)
types = st.sampled_from(["bbox", "polygon", "points", "mask", "label", "caption", "ellipse", "rotated_bbox", "x"])
fields = ("label_id", "group", "bbox", "points", "rle", "visibility", "attributes", "z_order", "object_id", "caption")


@given(types, st.dictionaries(st.sampled_from(fields), json))
def test_any_annotation_is_read_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory, kind: str, changes: dict[str, Any]
) -> None:
    found = read_one(tmp_path_factory.mktemp("datumaro"), an_annotation(type=kind, **changes))

    assert len(found.faults) + len(found.rows) <= 1


@given(st.dictionaries(st.sampled_from(["items", "categories", "infos", "media_type"]), json))
def test_any_document_is_read_or_has_faults(tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any]) -> None:
    folder = tmp_path_factory.mktemp("datumaro")

    read(folder, "datumaro", {"images/1.jpg": b"", NAME: {**a_document(an_item()), **changes}})


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("datumaro")
    (folder / "a.json").write_bytes(data + b'"dm_format_version"')

    with suppress(Invalid):
        assert Datumaro().read(list_files(folder)).total == 0


@pytest.mark.parametrize("cut", range(0, 300, 17))
def test_a_document_that_ends_early_is_refused_by_name(tmp_path: Path, cut: int) -> None:
    text = dumps(a_document(an_item(an_annotation(), an_annotation())))

    with pytest.raises(Invalid, match=r"default\.json"):
        read(tmp_path, "datumaro", {"images/1.jpg": b"", NAME: text[: len(text) - 1 - cut]})


def test_of_very_many_files_the_largest_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.formats.documents.LOOKED_AT", 2)
    others = {f"notes/{number}.json": {"dm_format_version": "1.0"} for number in range(3)}

    found = read(tmp_path, "datumaro", {"images/1.jpg": b"", NAME: a_document(an_item(an_annotation())), **others})

    assert len(found.rows) == 1
    assert len({fault.pointer.partition(":")[0] for fault in found.faults}) == 1
