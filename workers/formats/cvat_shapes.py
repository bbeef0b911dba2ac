"""What one image of a CVAT document says."""

import math
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from pydantic import JsonValue

from storage.datasets.rows import AnnotationRow, MaskRow, attributes_text
from workers.formats.datumaro_annotations import LABELS
from workers.formats.format import Labels
from workers.formats.json_values import SHOWN, Wrong, polygon_of
from workers.formats.parts import Part, ellipse, joined
from workers.formats.rle import mask_of
from workers.formats.voc_labels import class_name
from workers.formats.xml_tree import Node

InputTypes = dict[tuple[str, str], str]
"""``number``, ``checkbox``, ``text``, … by label and attribute."""

IMAGE_TAG: Final = "image_attributes"
"""The label of a tag that we write for the attributes of a whole image."""
PIXELS_AT_MOST: Final = 1 << 28
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
        self._size = _size(node)
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
        label = _label(node)
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
            attributes["z_order"] = _whole(node, "z_order")
        if given.get("source", "") not in {"", USUAL_SOURCE}:
            attributes["source"] = given["source"]
        self._dropped += [
            f"<{node.name} {name[:SHOWN]}>" for name in sorted(given.keys() - _SHAPE - _PLACES[node.name])
        ]
        row = self._shape(node)._replace(class_name=_label(node))
        # Zero is CVAT's word for no group.
        return Part(row, attributes, _whole(node, "group_id") or None if "group_id" in given else None)

    def _shape(self, node: Node) -> AnnotationRow:
        if node.name == "box":
            left, top, right, bottom = (_number(node, side) for side in ("xtl", "ytl", "xbr", "ybr"))
            if right < left or bottom < top:
                raise Wrong(f"has corners {left:g}, {top:g} beyond {right:g}, {bottom:g}")
            return AnnotationRow(box=(left, top, _less(right, left), _less(bottom, top)), rotation=_rotation(node))
        if node.name == "polygon":
            return AnnotationRow(polygons=(polygon_of(_points(node), ""),))
        if node.name == "points":
            return AnnotationRow(keypoints=_keypoints(node))
        if node.name == "mask":
            return AnnotationRow(mask=self._mask(node))
        if node.name == "ellipse":
            self._dropped.append("the form of ellipses, which become polygons,")
            centre, radii = (_number(node, "cx"), _number(node, "cy")), (_number(node, "rx"), _number(node, "ry"))
            return AnnotationRow(polygons=(ellipse(centre, radii, degrees=math.degrees(_rotation(node))),))
        return AnnotationRow(keypoints=self._skeleton(node))

    def _skeleton(self, node: Node) -> tuple[float, ...]:
        elements = [child for child in node.children if child.name != "attribute"]
        for element in elements:
            if element.name != "points" or len(_points(element)) != len("xy"):
                raise Wrong(f"has an element <{element.name[:SHOWN]}> that is not a single point")
            if any(child.name == "attribute" for child in element.children):
                self._dropped.append("attributes of the points of a skeleton")
        # Their order is that of the skeleton; where they are numbered, that of the numbers.
        names = [element.attributes.get("label", "") for element in elements]
        if all(name.isdecimal() for name in names):
            elements.sort(key=lambda element: int(element.attributes["label"][:9]))
        elif elements:
            self._dropped.append("the names of the points of a skeleton")
        return tuple(number for element in elements for number in _keypoints(element))

    def _mask(self, node: Node) -> MaskRow:
        if self._size is None or self._size[0] * self._size[1] > PIXELS_AT_MOST:
            raise Wrong("cannot be placed: <image> has no width and height that can be used")
        left, top, width, height = (_whole(node, side) for side in ("left", "top", "width", "height"))
        if min(left, top) < 0 or min(width, height) < 1 or left + width > self._size[0] or top + height > self._size[1]:
            raise Wrong(f"reaches out of the image: {width} x {height} pixels at {left}, {top}")
        inside = _pixels(node.attributes.get("rle", ""), width * height).reshape(height, width)
        pixels = np.zeros((self._size[1], self._size[0]), dtype=np.bool_)
        pixels[top : top + height, left : left + width] = inside
        return mask_of(pixels)

    def _values(self, node: Node) -> Iterator[tuple[str, JsonValue]]:
        label = node.attributes.get("label", "").strip()
        for child in node.children:
            if child.name == "attribute":
                key = child.attributes.get("name", "").strip()
                yield key, typed(child.text, self._types.get((label, key), ""))


def typed(text: str, input_type: str) -> JsonValue:
    """Return the value of an attribute: a number or truth where its input type says so and it is one, else text."""
    if input_type == "checkbox" and text.strip().lower() in {"true", "false"}:
        return text.strip().lower() == "true"
    if input_type != "number":
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return int(text) if text.strip().lstrip("-").isdecimal() else number


def _size(node: Node) -> tuple[int, int] | None:
    texts = [node.attributes.get(side, "") for side in ("width", "height")]
    if all(text.isdecimal() and int(text[:9]) > 0 for text in texts):
        return int(texts[0][:9]), int(texts[1][:9])
    return None


def _label(node: Node) -> str:
    given = node.attributes.get("label", "")
    try:
        return class_name(given)
    except ValueError as error:
        raise Wrong(f"has a label that is no class name ({error}): {given[:SHOWN]!r}") from None


def _number(node: Node, name: str) -> float:
    given = node.attributes.get(name, "")
    try:
        number = float(given)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Wrong(f"has no finite number as {name}: {given[:SHOWN]!r}")
    return number


def _whole(node: Node, name: str) -> int:
    number = _number(node, name)
    if not number.is_integer() or abs(number) > 1 << 31:
        raise Wrong(f"has no whole number as {name}: {node.attributes[name][:SHOWN]!r}")
    return int(number)


def _less(one: float, other: float) -> float:
    # Rounded where binary fractions end: 10.1 + 5.3 and back is 5.3 again.
    return round(one - other, 9)


def _rotation(node: Node) -> float:
    """Return CVAT's degrees, 0 to 360, as radians around zero."""
    degrees = _number(node, "rotation") if "rotation" in node.attributes else 0.0
    return math.radians(degrees - 360 if degrees > 180 else degrees)  # noqa: PLR2004 - half a turn


def _points(node: Node) -> tuple[float, ...]:
    points: list[float] = []
    for pair in node.attributes.get("points", "").split(";"):
        try:
            x, y = map(float, pair.split(","))
        except ValueError:
            raise Wrong(f"has a point that is not two numbers: {pair[:SHOWN]!r}") from None
        if not (math.isfinite(x) and math.isfinite(y)):
            raise Wrong(f"has a point that is not finite: {pair[:SHOWN]!r}")
        points += [x, y]
    return tuple(points)


def _keypoints(node: Node) -> tuple[float, ...]:
    points = _points(node)
    if node.attributes.get("outside") == "1":
        return (0.0, 0.0, 0.0) * (len(points) // 2)
    seen = 1.0 if node.attributes.get("occluded") == "1" else 2.0
    return tuple(number for x, y in zip(points[::2], points[1::2], strict=True) for number in (x, y, seen))


def _pixels(text: str, count: int) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Return the pixels of CVAT's runs of 0 and 1 in turn, row by row."""
    try:
        runs = np.array([int(run) for run in text.split(",")], dtype=np.int64)
    except (ValueError, OverflowError):
        raise Wrong(f"has an rle that is not whole numbers: {text[:SHOWN]!r}") from None
    if (runs < 0).any() or int(runs.astype(np.float64).sum()) != count:
        raise Wrong(f"has an rle whose runs do not add up to {count} pixels")
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs)
