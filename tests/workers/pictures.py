"""Small pictures and VOC files for tests of imports and exports."""

import io
from pathlib import Path

import numpy as np
from PIL import Image


def a_picture(seed: int = 0, *, width: int = 40, height: int = 30) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height // 5, width // 5, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)


def a_jpeg(seed: int = 0, *, width: int = 40, height: int = 30, orientation: int = 1) -> bytes:
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    a_picture(seed, width=width, height=height).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def an_object(name: str = "cat", *, box: tuple[float, float, float, float] = (3, 4, 12, 13), more: str = "") -> str:
    sides = dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    corners = "".join(f"<{side}>{value}</{side}>" for side, value in sides.items())
    return f"<object><name>{name}</name><bndbox>{corners}</bndbox>{more}</object>"


def a_voc_file(*objects: str, file_name: str = "") -> str:
    return f"<annotation>\n<filename>{file_name}</filename>\n" + "\n".join(objects) + "\n</annotation>"


def a_voc_folder(folder: Path, *, images: int = 3) -> Path:
    """Write images 0.jpg, 1.jpg, ... of which each has as many cats as its number."""
    (folder / "images").mkdir(parents=True)
    (folder / "annotations").mkdir()
    for number in range(images):
        (folder / "images" / f"{number}.jpg").write_bytes(a_jpeg(number))
        cats = [an_object(box=(place, place, place + 9, place + 4)) for place in range(number)]
        (folder / "annotations" / f"{number}.xml").write_text(a_voc_file(*cats))
    return folder
