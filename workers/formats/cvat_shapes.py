"""What one image of a CVAT document says."""

import math
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from pydantic import JsonValue

from storage.datasets.rows import AnnotationRow, MaskRow, attributes_text
from workers.formats.cvat_values import (
    keypoints_of,
    label_of,
    less,
    number,
    pixels_of_runs,
    points_of,
    rotation_of,
    size_of,
    typed,
    whole,
)
from workers.formats.datumaro_annotations import LABELS
from workers.formats.format import Labels
from workers.formats.json_values import SHOWN, Wrong, polygon_of
from workers.formats.parts import Part, ellipse, joined
from workers.formats.rle import PIXELS_AT_MOST, mask_of
from workers.formats.xml_tree import Node

InputTypes = dict[tuple[str, str], str]
"""``number``, ``checkbox``, ``text``, … by label and attribute."""

IMAGE_TAG: Final = "image_attributes"
"""The label of a tag that we write for the attributes of a whole image."""
USUAL_SOURCE: Final = "manual"
_USUAL: Final = {"occluded": "0", "z_order": "0", "source": USUAL_SOURCE, "outside": "0", "keyframe": "0"}
_PLACES: Final = {
    "box": frozenset({"xtl", "ytl", "xbr", "ybr", "rotation"}),
    "polygon": frozenset({"points"}),
    "points": frozenset({"points"}),
    "ellipse": frozenset({"cx", "cy", "rx", "ry", "rotation"}),
    "mask": frozenset({"rle", "left", "top", "width", "height"}),
    "skeleton": frozenset(),
}
_SHAPE: Final = frozenset({"label", "group_id", "frame", "id", *_USUAL})
_IMAGE: Final = frozenset({"id", "name", "width", "height", "subset", "task_id", "job_id"})


class CvatImage:
    """One image read: its labels, and all that is wrong with it."""

    def __init__(self, node: Node, *, types: Mapping[tuple[str, str], str]) -> None:
        self.faults: list[tuple[str, int]] = []
        """What is wrong, and in which line."""
        self._types = types
        self._parts: list[Part] = []
        self._attributes: dict[str, JsonValue] = {}
        self._dropped = [f"<image {name[:SHOWN]}>" for name in sorted(node.attributes.keys() - _IMAGE)]
        self._size = size_of(node)
        for child in node.children:
            try:
                self._child(child)
            except Wrong as error:
                self.faults.append((f"<{child.name[:SHOWN]}> {error.detail}", child.line))

    @property
    def labels(self) -> Labels:
        """What is said of the image. CVAT turns images as their EXIF says, so coordinates are of the displayed one."""
        rows, attributes = tuple(joined(self._parts)), attributes_text(self._attributes)
        return Labels(rows, attributes, self._size, tuple(self._dropped), displayed=True)

    def _child(self, node: Node) -> None:
        if node.name == "tag":
            self._tag(node)
        elif node.name in _PLACES:
            self._parts.append(self._part(node))
        else:
            self._dropped.append(f"<{node.name[:SHOWN]}>")

    def _tag(self, node: Node) -> None:
        label = label_of(node)
        if label != IMAGE_TAG:
            labels = self._attributes.setdefault(LABELS, [])
            if isinstance(labels, list) and label not in labels:
                labels.append(label)
        for key, value in self._values(node):
            if self._attributes.setdefault(key, value) != value:
                self._dropped.append(f"a second value of the attribute {key[:SHOWN]!r} of the whole image")

    def _part(self, node: Node) -> Part:
        attributes = dict(self._values(node))
        given = node.attributes
        if given.get("occluded") == "1" and node.name != "points":
            attributes["occluded"] = True
        if given.get("z_order", "0") not in {"", "0"}:
            attributes["z_order"] = whole(node, "z_order")
        if given.get("source", "") not in {"", USUAL_SOURCE}:
            attributes["source"] = given["source"]
        self._dropped += [
            f"<{node.name} {name[:SHOWN]}>" for name in sorted(given.keys() - _SHAPE - _PLACES[node.name])
        ]
        row = self._shape(node)._replace(class_name=label_of(node))
        # Zero is CVAT's word for no group.
        return Part(row, attributes, whole(node, "group_id") or None if "group_id" in given else None)

    def _shape(self, node: Node) -> AnnotationRow:
        if node.name == "box":
            left, top, right, bottom = (number(node, side) for side in ("xtl", "ytl", "xbr", "ybr"))
            if right < left or bottom < top:
                raise Wrong(f"has corners {left:g}, {top:g} beyond {right:g}, {bottom:g}")
            return AnnotationRow(box=(left, top, less(right, left), less(bottom, top)), rotation=rotation_of(node))
        if node.name == "polygon":
            return AnnotationRow(polygons=(polygon_of(points_of(node), ""),))
        if node.name == "points":
            return AnnotationRow(keypoints=keypoints_of(node))
        if node.name == "mask":
            return AnnotationRow(mask=self._mask(node))
        if node.name == "ellipse":
            self._dropped.append("the form of ellipses, which become polygons,")
            centre, radii = (number(node, "cx"), number(node, "cy")), (number(node, "rx"), number(node, "ry"))
            return AnnotationRow(polygons=(ellipse(centre, radii, degrees=math.degrees(rotation_of(node))),))
        return AnnotationRow(keypoints=self._skeleton(node))

    def _skeleton(self, node: Node) -> tuple[float, ...]:
        elements = [child for child in node.children if child.name != "attribute"]
        for element in elements:
            if element.name != "points" or len(points_of(element)) != len("xy"):
                raise Wrong(f"has an element <{element.name[:SHOWN]}> that is not a single point")
            if any(child.name == "attribute" for child in element.children):
                self._dropped.append("attributes of the points of a skeleton")
        # Their order is that of the skeleton; where they are numbered, that of the numbers.
        names = [element.attributes.get("label", "") for element in elements]
        if all(name.isdecimal() for name in names):
            elements.sort(key=lambda element: int(element.attributes["label"][:9]))
        elif elements:
            self._dropped.append("the names of the points of a skeleton")
        return tuple(number for element in elements for number in keypoints_of(element))

    def _mask(self, node: Node) -> MaskRow:
        if self._size is None or self._size[0] * self._size[1] >= PIXELS_AT_MOST:
            raise Wrong("cannot be placed: <image> has no width and height that can be used")
        left, top, width, height = (whole(node, side) for side in ("left", "top", "width", "height"))
        if min(left, top) < 0 or min(width, height) < 1 or left + width > self._size[0] or top + height > self._size[1]:
            raise Wrong(f"reaches out of the image: {width} x {height} pixels at {left}, {top}")
        inside = pixels_of_runs(node.attributes.get("rle", ""), width * height).reshape(height, width)
        pixels = np.zeros((self._size[1], self._size[0]), dtype=np.bool_)
        pixels[top : top + height, left : left + width] = inside
        return mask_of(pixels)

    def _values(self, node: Node) -> Iterator[tuple[str, JsonValue]]:
        label = node.attributes.get("label", "").strip()
        for child in node.children:
            if child.name == "attribute":
                key = child.attributes.get("name", "").strip()
                yield key, typed(child.text, self._types.get((label, key), ""))
