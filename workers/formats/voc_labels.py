"""What one Pascal VOC file says of its image."""

import math
from collections.abc import Iterable
from typing import Final

from pydantic import JsonValue

from schemas.counts import counted
from schemas.errors import Fault, Invalid
from storage.datasets.rows import AnnotationRow, attributes_text
from workers.formats.format import Labels, id_of
from workers.formats.voc_names import ABSENT, FLAGS, HEADER, box_of, class_name
from workers.formats.voc_quick import quick_labels
from workers.formats.xml_tree import Node, read_tree

_OBJECT: Final = frozenset(
    {"name", "bndbox", "confidence", "box_quality", "tags", "attributes", "cm", "annotation_id", *FLAGS}
)
_TOP: Final = HEADER | {"object", "cks", "attributes", "image_quality", "database"}


def read_labels(data: bytes, *, name: str) -> Labels:
    """Return what a VOC file says; raise Invalid with a fault, file and line for each thing that is wrong.

    As YMIR reads it: corners are pixels that belong to the box, so width is xmax - xmin + 1; fractions are kept.
    """
    return quick_labels(data) or careful_labels(data, name=name)


def careful_labels(data: bytes, *, name: str) -> Labels:
    """Return and raise the same, whatever is in the file."""
    root = read_tree(data, name=name)
    faults: list[Fault] = []
    if root.name != "annotation":
        faults.append(Fault(f"the outermost element is <{root.name}>, not <annotation>", f"{name}:{root.line}"))
        raise _invalid(name, faults)
    objects = [_object(node, name, faults) for node in root.children if node.name == "object"]
    attributes = _image_attributes(root, name, faults)
    if faults:
        raise _invalid(name, faults)
    return Labels(tuple(objects), attributes_text(attributes), _size(root), tuple(_dropped(root)))


def file_name_in(data: bytes, *, name: str) -> str:
    """Return the name of the image that a VOC file speaks of, empty where it does not; raise Invalid as above."""
    node = read_tree(data, name=name).child("filename")
    return "" if node is None else node.text.strip().replace("\\", "/")


def _object(node: Node, name: str, faults: list[Fault]) -> AnnotationRow:
    numbers = _Numbers(name, faults)
    box, rotation = _box(node, numbers)
    confidence = numbers.optional(node.child("confidence"))
    if confidence is not None and not 0 <= confidence <= 1:
        numbers.wrong(node.child("confidence") or node, "is not from 0 to 1")
    return AnnotationRow(
        class_name=_class(node, numbers),
        box=box,
        rotation=rotation,
        confidence=confidence,
        quality=numbers.optional(node.child("box_quality")),
        attributes=attributes_text(_attributes(node)),
        id=_id(node.child("annotation_id"), numbers),
    )


def _id(node: Node | None, numbers: "_Numbers") -> bytes | None:
    if node is None:
        return None
    try:
        return id_of(node.text.strip())
    except ValueError as error:
        numbers.wrong(node, str(error))
        return None


class _Numbers:
    """Reads numbers, and notes what is wrong with them."""

    def __init__(self, name: str, faults: list[Fault]) -> None:
        self._name = name
        self._faults = faults

    def wrong(self, node: Node, detail: str) -> None:
        self._faults.append(Fault(f"<{node.name}> {detail}", f"{self._name}:{node.line}"))

    def number(self, node: Node) -> float:
        try:
            value = float(node.text)
        except ValueError:
            self.wrong(node, f"is not a number: {node.text.strip()[:50]!r}")
            return 0.0
        if not math.isfinite(value):
            self.wrong(node, f"is not a finite number: {node.text.strip()!r}")
            return 0.0
        return value

    def optional(self, node: Node | None) -> float | None:
        """Return a number; None where it is missing or -1, which is how YMIR writes that."""
        value = ABSENT if node is None or not node.text.strip() else self.number(node)
        return None if value == ABSENT else value


def _class(node: Node, numbers: _Numbers) -> str:
    given = node.child("name")
    if given is None:
        numbers.wrong(node, "has no <name>")
        return ""
    try:
        return class_name(given.text)
    except ValueError as error:
        numbers.wrong(given, f"is no class name ({error}): {given.text.strip()[:50]!r}")
        return ""


def _box(node: Node, numbers: _Numbers) -> tuple[tuple[float, float, float, float] | None, float]:
    box = node.child("bndbox")
    if box is None:
        numbers.wrong(node, "has no <bndbox>")
        return None, 0.0
    corners = {child.name: child for child in box.children}
    missing = [corner for corner in ("xmin", "ymin", "xmax", "ymax") if corner not in corners]
    if missing:
        numbers.wrong(box, f"has no <{missing[0]}>")
        return None, 0.0
    left, top, right, bottom = (numbers.number(corners[name]) for name in ("xmin", "ymin", "xmax", "ymax"))
    for low, high, axis in ((left, right, "x"), (top, bottom, "y")):
        if low > high:
            numbers.wrong(box, f"has {axis}min {low:g} greater than {axis}max {high:g}")
    angle = corners.get("rotate_angle")
    return box_of(left, top, right, bottom), 0.0 if angle is None else numbers.number(angle)


def _attributes(node: Node) -> dict[str, JsonValue]:
    attributes: dict[str, JsonValue] = {}
    for child in node.children:
        if child.name == "tags":
            attributes |= {tag.name: tag.text.strip() for tag in child.children}
        elif child.name == "attributes":
            attributes |= _named_values(child.children)
        elif child.name == "cm" or child.name in FLAGS:
            text = child.text.strip()
            if text and text != FLAGS.get(child.name):
                attributes[child.name] = int(text) if text in {"0", "1"} else text
    return attributes


def _named_values(nodes: Iterable[Node]) -> dict[str, JsonValue]:
    """Return attributes as CVAT writes them: each with its name and value as children."""
    pairs = ((node.child("name"), node.child("value")) for node in nodes)
    return {key.text.strip(): value.text.strip() for key, value in pairs if key is not None and value is not None}


def _image_attributes(root: Node, name: str, faults: list[Fault]) -> dict[str, JsonValue]:
    attributes: dict[str, JsonValue] = {}
    checks = root.child("cks")
    if checks is not None:
        attributes |= {node.name: node.text.strip() for node in checks.children}
    for node in root.children:
        if node.name == "attributes":
            attributes |= _named_values(node.children)
    quality = _Numbers(name, faults).optional(root.child("image_quality"))
    if quality is not None:
        attributes["image_quality"] = quality
    return attributes


def _size(root: Node) -> tuple[int, int] | None:
    size = root.child("size")
    sides = [] if size is None else [size.child("width"), size.child("height")]
    texts = [side.text.strip() for side in sides if side is not None]
    # Many tools write 0 for what they did not look at.
    if len(texts) == len("wh") and all(text.isdecimal() and int(text[:9]) > 0 for text in texts):
        return int(texts[0][:9]), int(texts[1][:9])
    return None


def _dropped(root: Node) -> Iterable[str]:
    for node in root.children:
        if node.name == "object":
            yield from (f"<object><{child.name}>" for child in node.children if child.name not in _OBJECT)
        elif node.name not in _TOP:
            yield f"<{node.name}>"


def _invalid(name: str, faults: list[Fault]) -> Invalid:
    message = f"{name} has {counted(len(faults), 'fault')}; the first: {faults[0].pointer}: {faults[0].detail}."
    return Invalid(message, step="Correct or remove the file.", faults=faults)
