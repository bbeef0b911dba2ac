"""Annotations of pictures that get another size."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.model_parameters import Preprocess
from storage.datasets.mask_pixels import pixels_of
from storage.datasets.rows import AnnotationRow, ImageRow
from workers.executors.scaling import as_seen, scaled_all
from workers.formats.rle import mask_of

ASSET = bytes(32)


def an_image(width: int = 400, height: int = 200, *, orientation: int = 1) -> ImageRow:
    return ImageRow(ASSET, width=width, height=height, orientation=orientation)


def scaled(row: AnnotationRow, *, was: ImageRow, now: ImageRow) -> AnnotationRow:
    (found,) = scaled_all([row], was=was, now=now)
    return found


@pytest.mark.parametrize(
    ("size", "asked", "becomes"),
    [
        ((400, 200), Preprocess(long_side=100), (100, 50)),
        ((200, 400), Preprocess(long_side=100), (50, 100)),
        ((400, 1), Preprocess(long_side=100), (100, 1)),
        ((333, 100), Preprocess(long_side=100), (100, 30)),
        ((80, 40), Preprocess(long_side=100), (80, 40)),
        ((80, 40), Preprocess(long_side=100, enlarge=True), (100, 50)),
        ((100, 40), Preprocess(long_side=100, enlarge=True), (100, 40)),
        ((0, 0), Preprocess(long_side=100), (0, 0)),
    ],
)
def test_the_longer_side_becomes_what_is_asked(
    size: tuple[int, int], asked: Preprocess, becomes: tuple[int, int]
) -> None:
    image = as_seen(an_image(*size), asked)

    assert (image.width, image.height) == becomes


@pytest.mark.parametrize("preprocess", [None, Preprocess(long_side=100)])
def test_an_image_is_left_alone_only_if_it_is_upright(preprocess: Preprocess | None) -> None:
    upright, sideways = an_image(80, 40), an_image(80, 40, orientation=6)

    assert as_seen(upright, preprocess) is upright
    assert as_seen(sideways, preprocess) == upright


def test_what_is_only_turned_keeps_its_annotations_to_the_bit() -> None:
    row = AnnotationRow(box=(1.1, 2.2, 3.3, 4.4), rotation=0.7, mask=mask_of(np.ones((200, 400), np.bool_)))

    assert scaled(row, was=an_image(orientation=6), now=an_image()) is row


def test_every_place_is_scaled() -> None:
    row = AnnotationRow(
        box=(40.0, 20.0, 100.0, 50.0),
        polygons=((0.0, 0.0, 400.0, 0.0, 400.0, 200.0),),
        keypoints=(40.0, 20.0, 2.0, 0.0, 0.0, 0.0),
        area=5_000.0,
        class_name="cat",
    )

    now = scaled(row, was=an_image(), now=an_image(100, 50))

    assert now == row._replace(
        box=(10.0, 5.0, 25.0, 12.5),
        polygons=((0.0, 0.0, 100.0, 0.0, 100.0, 50.0),),
        keypoints=(10.0, 5.0, 2.0, 0.0, 0.0, 0.0),
        area=312.5,
    )


def test_a_mask_has_the_size_of_its_picture_and_the_same_shape() -> None:
    pixels = np.zeros((200, 400), np.bool_)
    pixels[40:120, 100:300] = True

    now = scaled(AnnotationRow(mask=mask_of(pixels)), was=an_image(), now=an_image(100, 50))

    assert now.mask is not None
    expected = np.zeros((50, 100), np.bool_)
    expected[10:30, 25:75] = True
    assert (pixels_of(now.mask) == expected).all()


def test_a_turned_box_keeps_its_middle_and_its_angle() -> None:
    row = AnnotationRow(box=(100.0, 50.0, 80.0, 20.0), rotation=math.radians(200))

    now = scaled(row, was=an_image(), now=an_image(100, 50))

    assert now.box == pytest.approx((25.0, 12.5, 20.0, 5.0))
    assert now.rotation == pytest.approx(math.radians(200))


SIDES = st.integers(1, 5_000)
PLACES = st.floats(0, 5_000, allow_subnormal=False)


@given(SIDES, SIDES, st.integers(16, 2_000), st.tuples(PLACES, PLACES, PLACES, PLACES), st.floats(-7, 7))
def test_there_and_back_again_is_where_it_began(
    width: int, height: int, side: int, box: tuple[float, float, float, float], rotation: float
) -> None:
    was = an_image(width, height)
    now = as_seen(was, Preprocess(long_side=side, enlarge=True))
    row = AnnotationRow(box=box, rotation=0.0, polygons=((*box, 1.0, 2.0),))

    back = scaled(scaled(row, was=was, now=now), was=now, now=was)
    turned = scaled(scaled(row._replace(rotation=rotation), was=was, now=now), was=now, now=was)

    assert back.box == pytest.approx(box, abs=1e-6)
    assert back.polygons[0] == pytest.approx(row.polygons[0], abs=1e-6)
    assert turned.box is not None
    middle = box[0] + box[2] / 2, box[1] + box[3] / 2
    assert (turned.box[0] + turned.box[2] / 2, turned.box[1] + turned.box[3] / 2) == pytest.approx(middle, abs=1e-5)
