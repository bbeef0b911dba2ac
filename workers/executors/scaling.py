"""What an executor sees of a picture: its image row and annotations once it is upright and has another size."""

import math
from collections.abc import Sequence

import numpy as np

from schemas.model_parameters import Preprocess
from storage.datasets.mask_pixels import pixels_of
from storage.datasets.rows import AnnotationRow, ImageRow, MaskRow
from workers.formats.rle import mask_of


def as_seen(image: ImageRow, preprocess: Preprocess | None) -> ImageRow:
    """Return an image as an executor sees it, upright and of its new size: the same if its file is left alone.

    The longer side has the length asked for to the pixel, the shorter one is rounded and never 0.
    """
    size = width, height = _size(image, preprocess)
    if image.orientation == 1 and size == (image.width, image.height):
        return image
    return image._replace(width=width, height=height, orientation=1)


def scaled_all(rows: Sequence[AnnotationRow], *, was: ImageRow, now: ImageRow) -> tuple[AnnotationRow, ...]:
    """Return annotations of a displayed picture as those of the same picture in another size."""
    if (was.width, was.height) == (now.width, now.height):
        return tuple(rows)
    across, down = now.width / was.width, now.height / was.height
    return tuple(_scaled(row, across, down, now) for row in rows)


def _size(image: ImageRow, preprocess: Preprocess | None) -> tuple[int, int]:
    longer = max(image.width, image.height)
    if preprocess is None or not longer or (longer < preprocess.long_side and not preprocess.enlarge):
        return image.width, image.height
    width, height = (max(1, round(side * preprocess.long_side / longer)) for side in (image.width, image.height))
    return width, height


def _scaled(row: AnnotationRow, across: float, down: float, now: ImageRow) -> AnnotationRow:
    box, rotation = row.box, row.rotation
    if box is not None:
        box, rotation = _scaled_box(box, rotation, across, down)
    return row._replace(
        box=box,
        rotation=rotation,
        polygons=tuple(_scaled_points(polygon, (across, down)) for polygon in row.polygons),
        mask=None if row.mask is None else _scaled_mask(row.mask, now),
        # A key point's third number is its visibility.
        keypoints=_scaled_points(row.keypoints, (across, down, 1.0)),
        area=None if row.area is None else row.area * across * down,
    )


def _scaled_box(
    box: tuple[float, float, float, float], rotation: float, across: float, down: float
) -> tuple[tuple[float, float, float, float], float]:
    x, y, width, height = box
    if not rotation:
        return (x * across, y * down, width * across, height * down), rotation
    # Sides are rounded to pixels, so that both scales may differ: a turned box becomes the one with the same middle
    # whose sides go where the middles of its sides go.
    sine, cosine = math.sin(rotation), math.cos(rotation)
    new_width = math.hypot(width * cosine * across, width * sine * down)
    new_height = math.hypot(height * sine * across, height * cosine * down)
    middle_x, middle_y = (x + width / 2) * across, (y + height / 2) * down
    turned = math.atan2(sine * down, cosine * across)
    turned += 2 * math.pi * round((rotation - turned) / (2 * math.pi))
    return (middle_x - new_width / 2, middle_y - new_height / 2, new_width, new_height), turned


def _scaled_points(values: tuple[float, ...], factors: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(value * factors[position % len(factors)] for position, value in enumerate(values))


def _scaled_mask(mask: MaskRow, now: ImageRow) -> MaskRow:
    """Return a mask in a new size, each pixel being that of the old one under its middle."""
    pixels = pixels_of(mask)
    down = ((np.arange(now.height) + 0.5) * mask.height / now.height).astype(np.int64)
    across = ((np.arange(now.width) + 0.5) * mask.width / now.width).astype(np.int64)
    return mask_of(pixels[np.ix_(down, across)])
