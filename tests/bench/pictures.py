"""Folders of pictures to import: small JPEGs of noise, photographs with a lot in them, a COCO document."""

import asyncio
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

from tests.bench.row import Size
from tests.bench.synthetic import CLASSES, PER_IMAGE

Pixels = NDArray[np.uint8]
SMALL: Final = (64, 48)
PHOTOGRAPH: Final = (640, 480)
QUALITY: Final = 90


async def small_voc(folder: Path, size: Size) -> None:
    """Write JPEGs of 64 x 48 noise, about 3 KB each, with VOC annotations."""
    await asyncio.to_thread(_voc, folder, size.small, SMALL, _noise)


async def photographs(folder: Path, size: Size) -> None:
    """Write JPEGs of 640 x 480, each another crop of scikit-learn's photographs, with VOC annotations."""
    pictures = [np.asarray(picture, np.uint8) for picture in load_sample_images().images]

    def crop(random: np.random.Generator, _: tuple[int, int]) -> Pixels:
        picture = pictures[random.integers(len(pictures))]
        side, down = (int(random.integers(400, most)) for most in (picture.shape[1], picture.shape[0]))
        left, top = int(random.integers(picture.shape[1] - side)), int(random.integers(picture.shape[0] - down))
        image = Image.fromarray(picture[top : top + down, left : left + side]).resize(PHOTOGRAPH)
        grain = random.integers(-6, 7, (*PHOTOGRAPH[::-1], 3), dtype=np.int16)
        shaded: Pixels = np.clip(np.asarray(image, np.int16) + grain, 0, 255).astype(np.uint8)
        return shaded

    await asyncio.to_thread(_voc, folder, size.photographs, PHOTOGRAPH, crop)


async def coco(folder: Path, size: Size) -> None:
    """Write small JPEGs and two COCO documents of them, in folders of their own, with other boxes each."""
    await asyncio.to_thread(_coco, folder, size.coco)


def _noise(random: np.random.Generator, side: tuple[int, int]) -> Pixels:
    return random.integers(0, 256, (side[1], side[0], 3), dtype=np.uint8)


def _voc(
    folder: Path,
    count: int,
    side: tuple[int, int],
    draw: Callable[[np.random.Generator, tuple[int, int]], Pixels],
) -> None:
    random = np.random.default_rng(0)
    images, annotations = folder / "images", folder / "annotations"
    images.mkdir(parents=True)
    annotations.mkdir()
    for number in range(count):
        name = f"{number:06}"
        (images / f"{name}.jpg").write_bytes(_jpeg(draw(random, side)))
        (annotations / f"{name}.xml").write_text(_voc_text(name, side, _boxes(random, side)), encoding="utf-8")


def _coco(folder: Path, count: int) -> None:
    random = np.random.default_rng(1)
    first, again = folder / "first", folder / "again"
    (first / "images").mkdir(parents=True)
    names = [f"{number:06}.jpg" for number in range(count)]
    for name in names:
        (first / "images" / name).write_bytes(_jpeg(_noise(random, SMALL)))
    again.mkdir()
    (again / "images").mkdir()
    for name in names:
        (again / "images" / name).hardlink_to(first / "images" / name)
    for part in (first, again):
        (part / "annotations").mkdir()
        document = _coco_document(names, random)
        (part / "annotations" / "instances.json").write_bytes(orjson.dumps(document))


def _coco_document(names: list[str], random: np.random.Generator) -> dict[str, object]:
    annotations: list[dict[str, object]] = []
    for image in range(len(names)):
        for code, (x, y, width, height) in _boxes(random, SMALL):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image + 1,
                    "category_id": code + 1,
                    "bbox": [x, y, width, height],
                    "area": width * height,
                    "iscrowd": 0,
                }
            )
    return {
        "images": [
            {"id": image, "file_name": name, "width": SMALL[0], "height": SMALL[1]}
            for image, name in enumerate(names, start=1)
        ],
        "categories": [{"id": code, "name": name} for code, name in enumerate(CLASSES, start=1)],
        "annotations": annotations,
    }


def _jpeg(pixels: Pixels) -> bytes:
    written = BytesIO()
    Image.fromarray(pixels).save(written, "JPEG", quality=QUALITY)
    return written.getvalue()


def _boxes(random: np.random.Generator, side: tuple[int, int]) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
    for _ in range(random.poisson(PER_IMAGE)):
        x, y = int(random.integers(side[0] - 8)), int(random.integers(side[1] - 8))
        width, height = int(random.integers(4, side[0] - x)), int(random.integers(4, side[1] - y))
        yield int(random.integers(len(CLASSES))), (x, y, width, height)


def _voc_text(name: str, side: tuple[int, int], boxes: Iterator[tuple[int, tuple[int, int, int, int]]]) -> str:
    objects = "".join(
        f"<object><name>{CLASSES[code]}</name><pose>Unspecified</pose><truncated>0</truncated>"
        f"<difficult>0</difficult><bndbox><xmin>{x + 1}</xmin><ymin>{y + 1}</ymin>"
        f"<xmax>{x + width}</xmax><ymax>{y + height}</ymax></bndbox></object>"
        for code, (x, y, width, height) in boxes
    )
    return (
        f"<annotation><folder>images</folder><filename>{name}.jpg</filename>"
        f"<size><width>{side[0]}</width><height>{side[1]}</height><depth>3</depth></size>"
        f"<segmented>0</segmented>{objects}</annotation>"
    )
