"""What a drawn picture shows."""

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gateway.drawing import PictureFormat, drawn
from gateway.shapes import colour_of
from storage.datasets.rows import AnnotationRow, MaskRow
from workers.formats.rle import mask_of

GREY = (128, 128, 128)
HEIGHT, WIDTH = 120, 160


def test_a_mask_is_filled_and_has_an_edge_of_its_colour() -> None:
    shown = on_grey(AnnotationRow("cat", mask=a_mask(slice(40, 80), slice(50, 110))))

    assert is_tinted(shown[60, 80])
    assert tuple(shown[60, 109]) == colour_of("cat")
    assert tuple(shown[60, 112]) == GREY
    assert tuple(shown[100, 80]) == GREY


def test_a_mask_is_shrunk_with_its_picture() -> None:
    shown = on_grey(AnnotationRow("cat", mask=a_mask(slice(40, 80), slice(50, 110))), size=80)

    assert shown.shape == (60, 80, 3)
    assert is_tinted(shown[30, 40])
    assert tuple(shown[50, 40]) == GREY


def test_an_edge_is_not_where_the_picture_ends() -> None:
    shown = on_grey(AnnotationRow("cat", mask=a_mask(slice(0, HEIGHT), slice(100, WIDTH))))

    assert is_tinted(shown[60, WIDTH - 1])
    assert tuple(shown[60, 100]) == colour_of("cat")


def test_a_polygon_is_filled_and_outlined() -> None:
    shown = on_grey(AnnotationRow("cat", polygons=((20, 40, 100, 40, 100, 100, 20, 100),)))

    assert is_tinted(shown[70, 60])
    assert tuple(shown[70, 20]) == colour_of("cat")


def test_a_turned_box_is_turned_clockwise_about_its_centre() -> None:
    # A quarter to the right: what was 60 wide and 20 high about (80, 70) is 20 wide and 60 high.
    shown = on_grey(AnnotationRow("cat", (50.0, 60.0, 60.0, 20.0), rotation=np.pi / 2))
    leaning = on_grey(AnnotationRow("cat", (50.0, 60.0, 60.0, 20.0), rotation=np.pi / 8))

    assert tuple(shown[70, 70]) == colour_of("cat")
    assert tuple(shown[70, 50]) == GREY
    right, left = ys_of(leaning[:, 100:]), ys_of(leaning[40:, :60]) + 40
    assert right.mean() > left.mean()


def test_key_points_that_are_hidden_are_rings_and_those_that_are_nowhere_are_not_drawn() -> None:
    shown = on_grey(AnnotationRow("cat", keypoints=(40.0, 60.0, 2.0, 80.0, 60.0, 1.0, 120.0, 60.0, 0.0)))

    assert tuple(shown[60, 40]) == colour_of("cat")
    assert tuple(shown[60, 80]) == GREY
    assert (shown[55:66, 75:86] == colour_of("cat")).all(axis=2).any()
    assert (shown[55:66, 115:126] == GREY).all()


def test_a_name_stays_in_the_picture_wherever_its_shape_is() -> None:
    corners = [(0.0, 0.0), (150.0, 0.0), (0.0, 110.0), (150.0, 110.0), (400.0, 400.0)]
    for x, y in corners:
        with_name = on_grey(AnnotationRow("a name", (x, y, 9.0, 9.0), confidence=0.5))
        without = on_grey(AnnotationRow("", (x, y, 9.0, 9.0)))
        assert (with_name == colour_of("a name")).all(axis=2).sum() > (without != GREY).any(axis=2).sum() + 300


def test_names_are_written_in_the_font_that_is_set_unless_it_is_none(tmp_path: Path) -> None:
    (no_font := tmp_path / "none.ttf").write_bytes(b"no font")
    font = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    row = AnnotationRow("кот", (50.0, 60.0, 40.0, 30.0))

    built_in, set_, broken = (on_grey(row, font=path) for path in (None, font, no_font))

    assert (set_ != built_in).any()
    assert (broken == built_in).all()


def test_a_mask_of_nothing_is_drawn_nowhere() -> None:
    assert (on_grey(AnnotationRow("cat", mask=a_mask(slice(0, 0), slice(0, 0)))) == GREY).all()


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_finer_grey_is_shown_from_its_darkest_to_its_brightest(mode: str) -> None:
    values = np.linspace(1_000, 3_000, WIDTH)[None, :].repeat(HEIGHT, axis=0)
    kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
    written = io.BytesIO()
    Image.fromarray(values.astype(kind)).save(written, "TIFF")

    shown = shown_of(drawn(written.getvalue(), size=4096, annotations=[], subject="x", written_as=PictureFormat.PNG))

    assert shown[0, 0, 0] == 0
    assert shown[0, -1, 0] == 255
    assert 120 < shown[0, WIDTH // 2, 0] < 135


def a_mask(rows: slice, columns: slice) -> MaskRow:
    pixels = np.zeros((HEIGHT, WIDTH), np.bool_)
    pixels[rows, columns] = True
    return mask_of(pixels)


def on_grey(*annotations: AnnotationRow, size: int = 4096, font: Path | None = None) -> NDArray[np.uint8]:
    written = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), GREY).save(written, "PNG")
    how: dict[str, Any] = {"size": size, "subject": "x", "written_as": PictureFormat.PNG, "font": font}
    return shown_of(drawn(written.getvalue(), annotations=annotations, **how))


def shown_of(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def is_tinted(pixel: NDArray[np.uint8]) -> bool:
    return tuple(pixel) not in {GREY, colour_of("cat")}


def ys_of(part: NDArray[np.uint8]) -> NDArray[np.int64]:
    rows: NDArray[np.int64] = (part == colour_of("cat")).all(axis=2).nonzero()[0]
    return rows
