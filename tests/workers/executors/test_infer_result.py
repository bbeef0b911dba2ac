"""What an inference may say."""

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Invalid
from storage.datasets.rows import ImageRow
from workers.executors.infer_result import Found, read_predictions

ASSET = bytes(range(32))
NAME = f"{ASSET.hex()}.jpg"
IMAGES = {ASSET: ImageRow(ASSET, width=100, height=50)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "infer-result.json"


def read(path: Path, told: object) -> Found:
    path.write_bytes(told if isinstance(told, bytes) else orjson.dumps(told))
    return read_predictions(path, images=IMAGES, classes=["cat"])


def detection(key: str = "boxes", **changes: Any) -> object:  # noqa: ANN401 - any field
    entry = {"box": {"x": 1, "y": 2.5, "w": 3, "h": 4, "rotate_angle": 0.5}, "class_name": " Cat", "score": 0.5}
    return {"detection": {NAME: {key: [{**entry, **changes}]}}}


def coco(**changes: Any) -> object:  # noqa: ANN401 - any field
    entry = {"image_id": 1, "category_id": 2, "confidence": 0.5, "segmentation": [[0, 0, 5, 0, 5, 5]]}
    return {
        "images": [{"id": 1, "file_name": NAME}],
        "categories": [{"id": 2, "name": "cat"}],
        "annotations": [{**entry, **changes}],
    }


@pytest.mark.parametrize("key", ["boxes", "annotations"])
def test_a_detection_is_read_in_the_new_form_and_the_old(path: Path, key: str) -> None:
    (row,) = read(path, detection(key)).annotations[ASSET]

    assert (row.class_name, row.box, row.rotation, row.confidence) == ("cat", (1.0, 2.5, 3.0, 4.0), 0.5, 0.5)


def test_an_empty_object_is_nothing_found(path: Path) -> None:
    assert read(path, {"detection": {}}).annotations == {}


def test_unknown_classes_are_dropped_and_counted(path: Path) -> None:
    found = read(path, detection(class_name="ufo"))

    assert found.annotations == {ASSET: ()}
    assert found.unknown_classes == Counter({"ufo": 1})


def test_polygons_and_masks_are_read_from_coco(path: Path) -> None:
    (polygon,) = read(path, coco()).annotations[ASSET]
    runs = {"size": [50, 100], "counts": [51, 2, 4947]}
    (mask,) = read(path, coco(segmentation=runs)).annotations[ASSET]

    assert polygon.polygons == ((0.0, 0.0, 5.0, 0.0, 5.0, 5.0),)
    assert mask.mask is not None
    assert (mask.mask.height, mask.mask.width) == (50, 100)
    # No box was told: it is the one about the shape.
    assert (polygon.box, mask.box) == ((0.0, 0.0, 5.0, 5.0), (1.0, 1.0, 1.0, 2.0))


def test_key_points_are_read_from_coco(path: Path) -> None:
    (row,) = read(path, coco(segmentation=None, bbox=[1, 2, 3, 4], keypoints=[1, 2, 2, 0, 0, 0])).annotations[ASSET]

    assert (row.box, row.keypoints) == ((1.0, 2.0, 3.0, 4.0), (1.0, 2.0, 2.0, 0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("told", "where"),
    [
        (detection(score=1.5), ".boxes[0].score"),
        (detection(score=None), ".boxes[0].score"),
        (detection(box={"x": 1}), ".boxes[0].box"),
        (detection(box=[1, 2, 3, 4]), ".boxes[0]"),
        (detection(box={"x": 1, "y": 1, "w": -1, "h": 1}), "not negative"),
        (detection(box={"x": 101, "y": 1, "w": 1, "h": 1}), "outside of the image of 100 x 50"),
        (detection(box={"x": 1, "y": 51, "w": 1, "h": 1}), "outside of the image of 100 x 50"),
        (detection(class_name=""), ".boxes[0].class_name"),
        ({"detection": {NAME: 7}}, "list of boxes"),
        ({"detection": {"a.jpg": {}}}, "no such image"),
        ({"detection": {NAME: {}, f"again/{NAME}": {}}}, "twice"),
        (coco(image_id=7), "annotations[0].image_id"),
        (coco(category_id=7), "annotations[0].category_id"),
        (coco(confidence=None), "annotations[0].confidence"),
        (coco(bbox=[1, 2, 3]), "annotations[0].bbox"),
        (coco(segmentation=[[1, 2, 3]]), "annotations[0].segmentation"),
        (coco(segmentation={"size": [2, 3], "counts": [1]}), "annotations[0].segmentation"),
        (coco(segmentation=7), "annotations[0].segmentation"),
        (coco(segmentation={"size": [2, 3], "counts": [1, 2, 3]}), "The mask has 3 x 2 pixels, its image 100 x 50"),
        (coco(segmentation={"size": [100, 50], "counts": [5000]}), "The mask has 50 x 100 pixels, its image 100 x 50"),
        (coco(keypoints=[1, 2]), "annotations[0].keypoints"),
        ([], "must hold an object"),
        (b'{"detection": NaN}', "line 1: it is not JSON"),
    ],
)
def test_what_breaks_a_rule_is_named_with_its_place(path: Path, told: object, where: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(path, told)

    assert caught.value.detail.startswith("infer-result.json")
    assert where in caught.value.detail


KEYS = (
    *("detection", "boxes", "box", "x", "y", "w", "h", "class_name", "score", "images", "categories", "annotations"),
    *("id", "file_name", "image_id", "category_id", "segmentation", "size", "counts", "name", "confidence", "bbox"),
)
values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=3) | st.just(NAME) | st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYS, NAME]), inner, max_size=5),
    max_leaves=20,
)
fields = st.sampled_from(["image_id", "category_id", "confidence", "segmentation", "bbox", "keypoints"])


@given(field=fields, value=values)
def test_any_field_of_coco_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, field: str, value: object
) -> None:
    with suppress(Invalid):
        assert isinstance(read(tmp_path_factory.mktemp("out") / "infer-result.json", coco(**{field: value})), Found)


@given(told=values)
def test_anything_is_a_result_or_refused(tmp_path_factory: pytest.TempPathFactory, told: object) -> None:
    with suppress(Invalid):
        assert isinstance(read(tmp_path_factory.mktemp("out") / "infer-result.json", told), Found)
