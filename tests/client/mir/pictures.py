"""Small labeled photographs in the layout of Pascal VOC: shapes of a few kinds on noise."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

SIDE: Final = 96
COLOURS: Final = {"person": (220, 60, 50), "cat": (60, 90, 220), "car": (60, 180, 70), "airplane": (230, 200, 60)}


class Box(NamedTuple):
    """One object, as VOC counts pixels: from 1, the last one included."""

    name: str
    left: int
    top: int
    right: int
    bottom: int


def make_pictures(folder: Path, count: int, *, seed: int, names: Sequence[str] = tuple(COLOURS), most: int = 2) -> Path:
    """Make a folder with ``JPEGImages/``, ``Annotations/`` and ``index.tsv``; return it."""
    rng = np.random.default_rng(seed)
    for name in ("JPEGImages", "Annotations"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        stem = f"{folder.name}-{number:04}"
        image, boxes = _drawn(rng, names, most=most)
        image.save(folder / "JPEGImages" / f"{stem}.jpg", quality=92)
        write_labels(folder / "Annotations" / f"{stem}.xml", boxes)
    write_index(folder / "index.tsv", sorted((folder / "JPEGImages").iterdir()))
    return folder


def write_index(path: Path, images: Sequence[Path]) -> Path:
    path.write_text("".join(f"{image}\n" for image in images))
    return path


def write_labels(path: Path, boxes: Sequence[Box]) -> None:
    objects = "".join(
        f"<object><name>{box.name}</name><bndbox><xmin>{box.left}</xmin><ymin>{box.top}</ymin>"
        f"<xmax>{box.right}</xmax><ymax>{box.bottom}</ymax></bndbox></object>"
        for box in boxes
    )
    size = f"<size><width>{SIDE}</width><height>{SIDE}</height><depth>3</depth></size>"
    path.write_text(f"<annotation><filename>{path.stem}.jpg</filename>{size}{objects}</annotation>")


def _drawn(rng: np.random.Generator, names: Sequence[str], *, most: int) -> tuple[Image.Image, list[Box]]:
    noise = rng.normal(128, 20, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(noise)
    draw, boxes = ImageDraw.Draw(image), list[Box]()
    for slot in rng.permutation(4)[: int(rng.integers(1, most + 1))]:
        name = names[int(rng.integers(len(names)))]
        size = int(rng.integers(24, 36))
        left, top = (int(slot % 2) * 48 + 4, int(slot // 2) * 48 + 4)
        shape = (left, top, left + size, top + size)
        (draw.ellipse if name in {"cat", "airplane"} else draw.rectangle)(shape, fill=COLOURS[name])
        boxes.append(Box(name, left + 1, top + 1, left + size + 1, top + size + 1))
    return image, boxes
