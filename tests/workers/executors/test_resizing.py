"""Copies of image files in another size, of every type that is stored."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workers.executors.resizing import Resize, resize_all

RED, BLUE = (255, 0, 0), (0, 0, 255)


def halves(mode: str = "RGB") -> Image.Image:
    """Return a picture that is red on the left and blue on the right."""
    picture = Image.new("RGB", (400, 200), RED)
    picture.paste(BLUE, (200, 0, 400, 200))
    return picture.convert(mode)


def stored(folder: Path, kind: str, *, mode: str = "RGB", orientation: int = 1) -> Path:
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    halves(mode).save(buffer, kind, **({"exif": exif} if orientation != 1 else {}))
    path = folder / "source"
    path.write_bytes(buffer.getvalue())
    return path


def made(
    folder: Path, source: Path, *, size: tuple[int, int] = (100, 50), media_type: str, orientation: int = 1
) -> Image.Image:
    target = folder / "target"
    assert resize_all([Resize(source, target, *size, orientation, media_type)]) == [""]
    assert target.stat().st_mode & 0o222 == 0
    with Image.open(target) as image:
        image.load()
        return image.copy()


@pytest.mark.parametrize(
    ("kind", "mode", "media_type"),
    [
        ("JPEG", "RGB", "image/jpeg"),
        ("JPEG", "L", "image/jpeg"),
        ("JPEG", "CMYK", "image/jpeg"),
        ("PNG", "RGB", "image/png"),
        ("PNG", "P", "image/png"),
        ("PNG", "1", "image/png"),
        ("PNG", "RGBA", "image/png"),
        ("PNG", "LA", "image/png"),
        ("PNG", "I;16", "image/png"),
        ("BMP", "RGB", "image/bmp"),
        ("WEBP", "RGB", "image/webp"),
        ("WEBP", "RGBA", "image/webp"),
        ("TIFF", "RGB", "image/tiff"),
        ("TIFF", "F", "image/tiff"),
    ],
)
def test_every_type_is_resized_into_a_file_of_its_type(tmp_path: Path, kind: str, mode: str, media_type: str) -> None:
    if mode == "I;16":
        Image.fromarray(np.full((200, 400), 40_000, np.uint16)).save(tmp_path / "source", kind)
        source = tmp_path / "source"
    else:
        source = stored(tmp_path, kind, mode=mode)

    image = made(tmp_path, source, media_type=media_type)

    assert image.size == (100, 50)
    with Image.open(tmp_path / "target") as again:
        assert f"image/{(again.format or '').lower()}" == media_type
    if mode in {"RGB", "RGBA", "P"}:
        left, right = (np.array(image.convert("RGB").getpixel((x, 25))) for x in (10, 90))
        assert np.abs(left - RED).max() < 8
        assert np.abs(right - BLUE).max() < 8


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_on_its_side_becomes_upright_for_every_reader(tmp_path: Path, kind: str) -> None:
    source = stored(tmp_path, kind, orientation=6)

    image = made(tmp_path, source, size=(50, 100), media_type=f"image/{kind.lower()}", orientation=6)

    assert image.size == (50, 100)
    assert image.getexif().get(0x0112, 1) == 1
    # Turned by a quarter to the right: what was left is up.
    assert np.abs(np.array(image.convert("RGB").getpixel((25, 10))) - RED).max() < 8


def test_a_file_that_cannot_be_decoded_is_told_and_the_others_are_made(tmp_path: Path) -> None:
    source = stored(tmp_path, "JPEG")
    damaged = tmp_path / "damaged"
    damaged.write_bytes(source.read_bytes()[:300])
    orders = [
        Resize(path, tmp_path / f"{path.name}.jpg", 100, 50, 1, "image/jpeg")
        for path in (damaged, source, tmp_path / "missing")
    ]

    reasons = resize_all(orders)

    assert [bool(reason) for reason in reasons] == [True, False, True]
    assert (tmp_path / "source.jpg").is_file()
