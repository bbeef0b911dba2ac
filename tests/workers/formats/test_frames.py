"""Annotations turned between the picture as stored and as displayed."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from storage.datasets.mask_pixels import pixels_of
from storage.datasets.rows import AnnotationRow, ImageRow
from workers.formats.frames import is_displayed, stored_size, to_displayed, to_stored
from workers.formats.rle import mask_of

WIDTH, HEIGHT = 9, 6
ORIENTATIONS = range(1, 9)

sides = st.floats(0, 4, allow_subnormal=False)
rows = st.builds(
    lambda **given: AnnotationRow(class_name="cat", **given),
    box=st.tuples(sides, sides, sides, sides),
    rotation=st.floats(-3, 3),
    polygons=st.tuples(st.lists(sides, min_size=6, max_size=6).map(tuple)),
    keypoints=st.tuples(sides, sides, st.sampled_from([0.0, 1.0, 2.0])),
)


def an_image(orientation: int) -> ImageRow:
    """Return an image that is stored as 9 x 6 pixels."""
    sideways = orientation >= 5
    width, height = (HEIGHT, WIDTH) if sideways else (WIDTH, HEIGHT)
    return ImageRow(bytes(32), width=width, height=height, orientation=orientation)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_box_is_where_pillow_shows_it(orientation: int) -> None:
    stored = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    stored[1:3, 2:6] = 255
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(buffer, "PNG", exif=exif)
    displayed = np.asarray(ImageOps.exif_transpose(Image.open(buffer))) > 0
    row = AnnotationRow(box=(2, 1, 4, 2), mask=mask_of(stored > 0))

    turned = to_displayed(row, an_image(orientation))

    assert turned.box is not None
    assert turned.mask is not None
    x, y, width, height = map(int, turned.box)
    assert displayed[y : y + height, x : x + width].all()
    assert displayed.sum() == width * height
    assert (pixels_of(turned.mask) == displayed).all()


@given(rows, st.sampled_from(ORIENTATIONS))
def test_turned_there_and_back_it_is_the_same(row: AnnotationRow, orientation: int) -> None:
    image = an_image(orientation)

    back = to_stored(to_displayed(row, image), image)

    assert _numbers(back) == pytest.approx(_numbers(row), abs=1e-9)


def test_a_keypoint_that_is_not_labeled_stays_at_zero() -> None:
    row = AnnotationRow(keypoints=(0.0, 0.0, 0.0, 1.0, 2.0, 2.0))

    turned = to_displayed(row, an_image(3))

    assert turned.keypoints == (0.0, 0.0, 0.0, 8.0, 4.0, 2.0)


def test_a_stated_size_tells_the_frame_where_it_can() -> None:
    image = an_image(6)

    assert stored_size(image) == (WIDTH, HEIGHT)
    assert is_displayed((HEIGHT, WIDTH), image)
    assert not is_displayed((WIDTH, HEIGHT), image)
    assert not is_displayed(None, image)
    assert is_displayed(None, an_image(1))


def _numbers(row: AnnotationRow) -> list[float]:
    box: tuple[Any, ...] = row.box or ()
    return [*box, row.rotation, *row.polygons[0], *row.keypoints]
