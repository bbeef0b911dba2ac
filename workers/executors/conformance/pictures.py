"""The built-in set: twelve small pictures of squares and crosses on noise, the same every time."""

import hashlib
import io
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from schemas.annotations import GROUND_TRUTH
from schemas.splits import Split
from storage.datasets.rows import AnnotationRow, AssetRow, ImageRow

CLASSES: Final = ("square", "cross")
COUNT: Final = 12
TRAINING: Final = 8
WIDTH, HEIGHT = 160, 120
SEED: Final = 20
# Of each set the last picture has nothing on it: also that is to be borne.
EMPTY: Final = (TRAINING - 1, COUNT - 1)


class Picture(NamedTuple):
    """One picture: its bytes, and the row that a version would have of it."""

    data: bytes
    row: AssetRow


def pictures() -> tuple[Picture, ...]:
    """Return the set: the first eight are for training, the others for validation; all are candidates."""
    random = np.random.default_rng(SEED)
    return tuple(_picture(number, random) for number in range(COUNT))


def rows_of(some: Sequence[Picture]) -> list[AssetRow]:
    """Return the rows of pictures."""
    return [picture.row for picture in some]


def _picture(number: int, random: np.random.Generator) -> Picture:
    noise = random.integers(60, 130, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    draw = ImageDraw.Draw(image)
    annotations = []
    # Left and right, so that no object hides another.
    for place in () if number in EMPTY else range(2):
        size = int(random.integers(28, 44))
        x = place * WIDTH // 2 + int(random.integers(4, WIDTH // 2 - size - 4))
        y = int(random.integers(4, HEIGHT - size - 4))
        class_name = CLASSES[(number + place) % 2]
        outline = _square(x, y, size) if class_name == "square" else _cross(x, y, size)
        draw.polygon(outline, fill=(240, 240, 235))
        box = (float(x), float(y), float(size), float(size))
        polygon = tuple(float(value) for point in outline for value in point)
        annotations.append(AnnotationRow(class_name=class_name, box=box, polygons=(polygon,)))
    kind, media_type = ("PNG", "image/png") if number % 3 == 0 else ("JPEG", "image/jpeg")
    file = io.BytesIO()
    image.save(file, kind)
    data = file.getvalue()
    described = ImageRow(
        asset=hashlib.sha256(data).digest(),
        file_name=f"{number}.{kind.lower()}",
        width=WIDTH,
        height=HEIGHT,
        channels=3,
        size=len(data),
        media_type=media_type,
    )
    split = Split.TRAINING if number < TRAINING else Split.VALIDATION
    return Picture(data, AssetRow(described, split, {GROUND_TRUTH: tuple(annotations)}))


def _square(x: int, y: int, size: int) -> list[tuple[int, int]]:
    return [(x, y), (x + size - 1, y), (x + size - 1, y + size - 1), (x, y + size - 1)]


def _cross(x: int, y: int, size: int) -> list[tuple[int, int]]:
    near, far, end = size // 3, size - size // 3 - 1, size - 1
    corners = [(near, 0), (far, 0), (far, near), (end, near), (end, far), (far, far)]
    corners += [(far, end), (near, end), (near, far), (0, far), (0, near), (near, near)]
    return [(x + dx, y + dy) for dx, dy in corners]
