"""Objects in parts: formats whose annotations are single shapes bind those of one object by a group."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from pydantic import JsonValue

from storage.datasets.mask_pixels import counts_of
from storage.datasets.rows import AnnotationRow, MaskRow, attributes_text
from workers.formats.coco_annotations import around

GROUP: Final = "group"
"""The attribute that keeps the group of objects that are more than one."""
NEAR: Final = 1e-6
ONE_POINT: Final = 3

Box = tuple[float, float, float, float]


class Part(NamedTuple):
    """One shape of an object, its attributes beside it."""

    row: AnnotationRow
    attributes: Mapping[str, JsonValue]
    group: int | None = None


def joined(parts: Sequence[Part]) -> list[AnnotationRow]:
    """Return the objects that some shapes of an image are, in the order of their first shapes.

    Shapes of one group and class are one object where they can be: with at most one box and one mask, one set of key
    points or several single ones, and no contradiction in the rest. Objects of a group that are several keep its
    number as an attribute. A polygon or mask without a box has the one about it.
    """
    groups: dict[int, list[Part]] = defaultdict(list)
    objects: list[tuple[int, Sequence[Part], int | None]] = []
    places = {id(part): place for place, part in enumerate(parts)}
    for place, part in enumerate(parts):
        if part.group is None:
            objects.append((place, (part,), None))
        else:
            groups[part.group].append(part)
    for number, members in groups.items():
        sets = list(_objects(members))
        kept = number if len(sets) > 1 else None
        objects.extend((places[id(some[0])], some, kept) for some in sets)
    return [_joined(some, group) for _, some, group in sorted(objects, key=lambda found: found[0])]


def shapes_of(row: AnnotationRow) -> Iterator[AnnotationRow]:
    """Yield what an object is made of, one shape each: a box that the others do not imply, polygons, mask, key points.

    ``joined`` puts them together again. What is no shape stays with each.
    """
    alone = row._replace(box=None, rotation=0.0, polygons=(), mask=None, keypoints=())
    if row.box is not None and not _is_implied(row):
        yield alone._replace(box=row.box, rotation=row.rotation)
    for polygon in row.polygons:
        yield alone._replace(polygons=(polygon,))
    if row.mask is not None:
        yield alone._replace(mask=row.mask)
    if row.keypoints:
        yield alone._replace(keypoints=row.keypoints)


def box_about(row: AnnotationRow) -> Box | None:
    """Return the least box about the polygons of an object, else about its mask; None where there is neither."""
    if row.polygons:
        return around(row.polygons)
    return None if row.mask is None else _box_about_mask(row.mask)


def ellipse(centre: tuple[float, float], radii: tuple[float, float], *, degrees: float = 0.0) -> tuple[float, ...]:
    """Return a polygon of 64 points on an ellipse that is turned clockwise about its centre."""
    (x, y), (across, down), turn = centre, radii, math.radians(degrees)
    points: list[float] = []
    for step in range(64):
        angle = math.tau * step / 64
        right, low = across * math.cos(angle), down * math.sin(angle)
        points += [x + right * math.cos(turn) - low * math.sin(turn), y + right * math.sin(turn) + low * math.cos(turn)]
    return tuple(points)


def _objects(members: Sequence[Part]) -> Iterator[Sequence[Part]]:
    by_class: dict[str | None, list[Part]] = defaultdict(list)
    for part in members:
        by_class[part.row.class_name].append(part)
    for some in by_class.values():
        if _is_one(some):
            yield some
        else:
            yield from ((part,) for part in some)


def _is_one(parts: Sequence[Part]) -> bool:
    rows = [part.row for part in parts]
    points = [row.keypoints for row in rows if row.keypoints]
    said: dict[str, JsonValue] = {}
    return (
        sum(row.box is not None for row in rows) <= 1
        and sum(row.mask is not None for row in rows) <= 1
        and (len(points) <= 1 or all(len(point) == ONE_POINT for point in points))
        and len({(row.confidence, row.crowd, row.id) for row in rows}) == 1
        and all(said.setdefault(key, value) == value for part in parts for key, value in part.attributes.items())
    )


def _joined(parts: Sequence[Part], group: int | None) -> AnnotationRow:
    attributes: dict[str, JsonValue] = {}
    for part in parts:
        attributes |= part.attributes
    if group is not None:
        attributes.setdefault(GROUP, group)
    rows = [part.row for part in parts]
    boxed = next((row for row in rows if row.box is not None), rows[0])
    row = rows[0]._replace(
        box=boxed.box,
        rotation=boxed.rotation,
        polygons=tuple(polygon for row in rows for polygon in row.polygons),
        mask=next((row.mask for row in rows if row.mask is not None), None),
        keypoints=tuple(number for row in rows for number in row.keypoints),
        attributes=attributes_text(attributes),
    )
    return row._replace(box=box_about(row)) if row.box is None else row


def _is_implied(row: AnnotationRow) -> bool:
    implied = None if row.rotation or row.box is None else box_about(row)
    if implied is None or row.box is None:
        return False
    return all(math.isclose(one, other, rel_tol=0.0, abs_tol=NEAR) for one, other in zip(row.box, implied, strict=True))


def _box_about_mask(mask: MaskRow) -> Box | None:
    edges = np.cumsum(counts_of(mask.counts))
    # Runs of 0 and 1 come in turn, down each column and on in the next.
    starts, ends = edges[:-1:2], edges[1::2] - 1
    starts, ends = starts[ends >= starts], ends[ends >= starts]
    if not len(starts):
        return None
    first, last = starts // mask.height, ends // mask.height
    is_whole = bool((first != last).any())
    top = 0 if is_whole else int((starts % mask.height).min())
    bottom = mask.height - 1 if is_whole else int((ends % mask.height).max())
    left, right = int(first.min()), int(last.max())
    return float(left), float(top), float(right + 1 - left), float(bottom + 1 - top)
