"""What one LabelMe file says of its image."""

import math
from typing import Any, Final

import numpy as np
from pydantic import JsonValue

from schemas.counts import counted
from schemas.errors import Fault, Invalid
from storage.datasets.rows import AnnotationRow, ImageRow, MaskRow, attributes_text
from workers.formats.format import Labels, id_of
from workers.formats.frames import stored_size
from workers.formats.json_values import Wrong, a_list, a_number, an_object, polygon_of
from workers.formats.labelme_places import picture_of, points_of, rectangle, so_many, turned_box
from workers.formats.parts import Part, ellipse, joined
from workers.formats.rle import PIXELS_AT_MOST, mask_of
from workers.formats.voc_names import class_name

TOP: Final = frozenset(
    {"version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth", "attributes"}
    | {"lineColor", "fillColor"}
)
SHAPE: Final = frozenset(
    {"label", "points", "group_id", "shape_type", "flags", "description", "mask", "attributes", "score", "rotated"}
    | {"annotation_id", "line_color", "fill_color"}
)
DESCRIPTION: Final = "description"
OCCLUDED: Final = "occluded"
"""The flag of a key point that is there and not seen."""
ROTATED: Final = "rotated"
"""What we say of a polygon that is a turned box, which LabelMe does not know."""
LINES: Final = frozenset({"line", "linestrip"})


def labels_of(value: Any, *, name: str, image: ImageRow | None) -> Labels:  # noqa: ANN401 - foreign JSON
    """Return what a file says; raise Invalid with a fault and JSON path for each thing that is wrong.

    LabelMe shows images as they are displayed, so its coordinates are of that picture; unless the stated size can only
    be that of the stored one. Without ``image`` no mask is made.
    """
    reader = _Reader(image)
    reader.read(value)
    if reader.faults:
        faults = [Fault(wrong.detail, f"{name}: {wrong.where or '.'}") for wrong in reader.faults]
        message = f"{name} has {counted(len(faults), 'fault')}; the first: {faults[0].pointer}: {faults[0].detail}."
        raise Invalid(message, step="Correct or remove the file.", faults=faults)
    attributes = attributes_text(reader.attributes)
    displayed = image is None or reader.size != stored_size(image) or reader.size == (image.width, image.height)
    return Labels(tuple(joined(reader.parts)), attributes, reader.size, tuple(reader.dropped), displayed=displayed)


class _Reader:
    def __init__(self, image: ImageRow | None) -> None:
        self._image = image
        self.faults: list[Wrong] = []
        self.parts: list[Part] = []
        self.attributes: dict[str, JsonValue] = {}
        self.dropped: list[str] = []
        self.size: tuple[int, int] | None = None

    def read(self, value: Any) -> None:  # noqa: ANN401 - foreign JSON
        try:
            entry = an_object(value, "")
            shapes = a_list(entry.get("shapes"), "shapes")
            self._whole(entry)
        except Wrong as error:
            self.faults.append(error)
            return
        for position, shape in enumerate(shapes):
            try:
                self._shape(shape)
            except Wrong as error:
                self.faults.append(Wrong(error.detail, f"shapes[{position}]{error.where}"))

    def _whole(self, entry: dict[str, Any]) -> None:
        self.attributes |= {
            **an_object(entry.get("flags"), "flags"),
            **an_object(entry.get("attributes"), "attributes"),
        }
        self.dropped += [str(key)[:50] for key in sorted(entry.keys() - TOP)]
        width, height = entry.get("imageWidth"), entry.get("imageHeight")
        if type(width) is int and type(height) is int and 0 < width * height < PIXELS_AT_MOST:
            self.size = width, height

    def _shape(self, shape: Any) -> None:  # noqa: ANN401 - foreign JSON
        if not isinstance(shape, dict):
            raise Wrong("is not an object")
        kind = shape.get("shape_type") or "polygon"
        if not isinstance(kind, str):
            raise Wrong("is no text", ".shape_type")
        if kind in LINES:
            self.dropped.append(f"shapes of the type {kind}")
            return
        row = self._placed(kind, shape)
        flags = {**an_object(shape.get("flags"), ".flags")}
        if row.keypoints:
            flags.pop(OCCLUDED, None)
        attributes: dict[str, JsonValue] = {**flags, **an_object(shape.get("attributes"), ".attributes")}
        if shape.get(DESCRIPTION):
            attributes[DESCRIPTION] = str(shape[DESCRIPTION])
        self.dropped += [f"shapes[].{str(key)[:50]}" for key in sorted(shape.keys() - SHAPE)]
        row = row._replace(class_name=_class(shape), confidence=_confidence(shape), id=_identity(shape))
        self.parts.append(Part(row, attributes, _group(shape)))

    def _placed(self, kind: str, shape: dict[str, Any]) -> AnnotationRow:
        points = points_of(shape)
        if kind == "polygon":
            rotated = turned_box(points) if shape.get(ROTATED) is True else None
            return rotated or AnnotationRow(polygons=(polygon_of(points, ".points"),))
        if kind == "rectangle":
            return AnnotationRow(box=rectangle(points))
        if kind == "circle":
            self.dropped.append("the form of circles, which become polygons,")
            x, y, edge_x, edge_y = so_many(points, 2, "a circle")
            radius = math.hypot(edge_x - x, edge_y - y)
            return AnnotationRow(polygons=(ellipse((x, y), (radius, radius)),))
        if kind in {"point", "points"}:
            seen = 1.0 if an_object(shape.get("flags"), ".flags").get(OCCLUDED) is True else 2.0
            pairs = zip(points[::2], points[1::2], strict=True)
            return AnnotationRow(keypoints=tuple(number for x, y in pairs for number in (x, y, seen)))
        if kind == "mask":
            return AnnotationRow(mask=self._mask(points, shape.get("mask")))
        raise Wrong(f"is no type of shape that is known: {kind[:50]!r}", ".shape_type")

    def _mask(self, points: tuple[float, ...], text: Any) -> MaskRow | None:  # noqa: ANN401 - foreign JSON
        left, top, *_ = (round(number) for number in so_many(points, 2, "a mask"))
        if self._image is None:
            return None
        sizes = [(self._image.width, self._image.height), stored_size(self._image)]
        across, down = self.size if self.size in sizes else sizes[0]
        inside = picture_of(text, at_most=(across - left, down - top))
        height, width = inside.shape
        if left < 0 or top < 0:
            raise Wrong(f"reaches out of the image: it begins at {left}, {top}", ".points")
        pixels = np.zeros((down, across), dtype=np.bool_)
        pixels[top : top + height, left : left + width] = inside
        return mask_of(pixels)


def _class(shape: dict[str, Any]) -> str:
    label = shape.get("label")
    try:
        return class_name(label if isinstance(label, str) else "")
    except ValueError as error:
        raise Wrong(f"is no class name ({error}): {str(label)[:50]!r}", ".label") from None


def _group(shape: dict[str, Any]) -> int | None:
    group = shape.get("group_id")
    if group is not None and type(group) is not int:
        raise Wrong("is not a whole number", ".group_id")
    return group


def _confidence(shape: dict[str, Any]) -> float | None:
    if shape.get("score") is None:
        return None
    score = a_number(shape["score"], ".score")
    if not 0 <= score <= 1:
        raise Wrong(f"is not from 0 to 1: {score}", ".score")
    return score


def _identity(shape: dict[str, Any]) -> bytes | None:
    try:
        return id_of(shape.get("annotation_id"))
    except ValueError as error:
        raise Wrong(str(error), ".annotation_id") from None
