"""Objects taken apart into shapes and put together again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.datasets.rows import AnnotationRow
from workers.formats.parts import Part, box_about, ellipse, joined, shapes_of
from workers.formats.rle import mask_of, mask_row

OTHERS = ("rotation", "area", "quality", "attributes", "author", "id")

numbers = st.integers(0, 40).map(lambda number: number / 4)
boxes = st.tuples(numbers, numbers, numbers, numbers)
polygons = st.lists(st.lists(numbers, min_size=6, max_size=6).map(tuple), max_size=2).map(tuple)
pictures = st.integers(0, 2**20 - 1).map(
    lambda bits: np.array([bits >> place & 1 for place in range(20)], dtype=np.bool_).reshape(4, 5)
)
masks = st.none() | pictures.map(mask_of)
points = st.lists(st.tuples(numbers, numbers, st.sampled_from((0.0, 1.0, 2.0))), max_size=3)
rows = st.builds(
    AnnotationRow,
    class_name=st.sampled_from(("cat", None)),
    box=st.none() | boxes,
    polygons=polygons,
    mask=masks,
    keypoints=points.map(lambda found: tuple(number for point in found for number in point)),
    crowd=st.booleans(),
    confidence=st.none() | st.just(0.5),
    **{name: st.just(AnnotationRow._field_defaults[name]) for name in OTHERS},
)


@given(rows)
def test_what_is_taken_apart_is_put_together_again(row: AnnotationRow) -> None:
    shapes = [*shapes_of(row)]

    again = joined([Part(shape, {}, 1 if len(shapes) > 1 else None) for shape in shapes])

    has_place = row.box or row.polygons or row.mask or row.keypoints
    expected = row._replace(box=box_about(row)) if row.box is None else row
    assert again == ([expected] if has_place else [])


@given(pictures)
def test_the_box_about_a_mask_is_that_of_its_pixels(picture: "np.ndarray[tuple[int, int], np.dtype[np.bool_]]") -> None:
    found = box_about(AnnotationRow(mask=mask_of(picture)))

    down, across = picture.nonzero()
    if not len(down):
        assert found is None
    else:
        left, top = int(across.min()), int(down.min())
        assert found == (left, top, int(across.max()) + 1 - left, int(down.max()) + 1 - top)


def test_runs_of_no_length_are_no_pixels() -> None:
    mask = mask_row([3, 0, 2, 1, 6], height=4, width=3)

    assert box_about(AnnotationRow(mask=mask)) == (1.0, 1.0, 1.0, 1.0)


def test_the_order_of_objects_is_that_of_their_first_shapes() -> None:
    row = AnnotationRow("cat", (0, 0, 1, 1))
    dog = AnnotationRow("dog", polygons=((0, 0, 1, 0, 1, 1),))

    found = joined([Part(dog, {}, 1), Part(row, {}), Part(dog, {"age": 2}, 1), Part(row, {}, 2)])

    assert [(one.class_name, len(one.polygons), one.attributes) for one in found] == [
        ("dog", 2, '{"age":2}'),
        ("cat", 0, ""),
        ("cat", 0, ""),
    ]


def test_a_turned_ellipse_lies_across() -> None:
    polygon = ellipse((10, 20), (4, 2), degrees=90)

    assert box_about(AnnotationRow(polygons=(polygon,))) == pytest.approx((8, 16, 4, 8))
