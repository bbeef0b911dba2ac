"""Inheriting annotation ids: what is annotated again keeps the id that it had in a base."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.annotations import LayerName
from storage.datasets.asset_ids import asset_ids_of
from storage.datasets.content import Content
from storage.datasets.lookup import annotations_of
from storage.datasets.reading import Segments
from storage.datasets.rows import AnnotationRow, ImageRow

IOU_AT_LEAST: Final = 0.5
BATCH: Final = 8_192
PAIRS: Final = 1 << 20

Floats = NDArray[np.float64]


class Rectangle(NamedTuple):
    """The upright rectangle about an annotation, by its edges in pixels."""

    left: float
    top: float
    right: float
    bottom: float


Placed = Sequence[tuple[int, Rectangle]]
"""Rectangles, each after its position."""


async def inherited(
    images: Sequence[ImageRow],
    annotations: Sequence[Sequence[AnnotationRow]],
    *,
    base: Content,
    layer: LayerName,
    library: Segments,
) -> list[tuple[AnnotationRow, ...]]:
    """Return the annotations of each image; those without an id have that of the base's layer, where one fits."""
    result: list[tuple[AnnotationRow, ...]] = [tuple(rows) for rows in annotations]
    order = sorted(range(len(images)), key=lambda position: images[position].asset)
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        assets = asset_ids_of([images[position].asset for position in batch])
        known = await annotations_of(assets, base.layer_masks(layer), library=library)
        by_asset = dict(zip((bytes(asset) for asset in assets.ids), known, strict=True))
        pairs = [(result[position], by_asset[images[position].asset] or ()) for position in batch]
        heirs = await asyncio.to_thread(lambda pairs: [with_inherited_ids(*pair) for pair in pairs], pairs)
        for position, rows in zip(batch, heirs, strict=True):
            result[position] = rows
    return result


def with_inherited_ids(rows: Sequence[AnnotationRow], base: Sequence[AnnotationRow]) -> tuple[AnnotationRow, ...]:
    """Return the annotations of one asset, those without an id with that of an annotation of the base.

    It is the one of the same class and geometry, else that of the same class with the highest IoU of at least 0.5 of
    the upright rectangles about both. Each id is given once; what fits nothing stays without.
    """
    given = {row.id for row in rows}
    free = [row for row in base if row.id not in given]
    heirs = list(rows)
    _inherit_equal(heirs, free)
    without = [position for position, row in enumerate(heirs) if row.id is None]
    pairs = overlaps([heirs[position] for position in without], free)
    for _, place, old in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        position = without[place]
        if heirs[position].id is None and free[old].id not in given:
            heirs[position] = heirs[position]._replace(id=free[old].id)
            given.add(free[old].id)
    return tuple(heirs)


def overlaps(rows: Sequence[AnnotationRow], others: Sequence[AnnotationRow]) -> list[tuple[float, int, int]]:
    """Return (IoU, position, position of the other) of all pairs of one class that overlap by at least half."""
    lefts, rights = _by_class(rows), _by_class(others)
    return [pair for name in lefts.keys() & rights.keys() for pair in _overlapping(lefts[name], rights[name])]


def geometry_of(row: AnnotationRow) -> object:
    """Return class and geometry, to be compared."""
    return row.class_name, row.box, row.rotation, row.polygons, row.mask, row.keypoints


def _inherit_equal(rows: list[AnnotationRow], free: list[AnnotationRow]) -> None:
    by_geometry: dict[object, list[AnnotationRow]] = {}
    for row in free:
        by_geometry.setdefault(geometry_of(row), []).append(row)
    for position, row in enumerate(rows):
        equals = by_geometry.get(geometry_of(row))
        if row.id is None and equals:
            old = equals.pop(0)
            rows[position] = row._replace(id=old.id)
            free.remove(old)


def _overlapping(lefts: Placed, rights: Placed) -> Iterator[tuple[float, int, int]]:
    others = _edges(rights)
    # Of the thousands of cells in a picture no more pairs are in memory at a time than this.
    step = max(1, PAIRS // len(rights))
    for start in range(0, len(lefts), step):
        some = lefts[start : start + step]
        shares = _iou(_edges(some)[:, None], others)
        for place, other in np.argwhere(shares >= IOU_AT_LEAST).tolist():
            yield float(shares[place, other]), some[place][0], rights[other][0]


def _edges(placed: Placed) -> Floats:
    return np.array([rectangle for _, rectangle in placed], np.float64)


def _iou(left: Floats, right: Floats) -> Floats:
    """Return the intersection over union of rectangles by their edges; 0 where both are empty."""
    sides = np.minimum(left[..., 2:], right[..., 2:]) - np.maximum(left[..., :2], right[..., :2])
    common = np.maximum(0.0, sides).prod(axis=-1)
    whole = _area(left) + _area(right) - common
    shares: Floats = np.divide(common, whole, out=np.zeros_like(common), where=whole > 0)
    return shares


def _area(rectangle: Floats) -> Floats:
    return np.asarray((rectangle[..., 2] - rectangle[..., 0]) * (rectangle[..., 3] - rectangle[..., 1]))


def _by_class(rows: Sequence[AnnotationRow]) -> dict[str | None, list[tuple[int, Rectangle]]]:
    found: dict[str | None, list[tuple[int, Rectangle]]] = {}
    for position, row in enumerate(rows):
        if (rectangle := _rectangle(row)) is not None:
            found.setdefault(row.class_name, []).append((position, rectangle))
    return found


def _rectangle(row: AnnotationRow) -> Rectangle | None:
    if row.box is not None:
        x, y, width, height = row.box
        return Rectangle(x, y, x + width, y + height)
    points = [value for polygon in row.polygons for value in polygon]
    return Rectangle(min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])) if points else None
