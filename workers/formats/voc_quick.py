"""The usual Pascal VOC file, read in a third of the time; whatever is unusual in it is left to ``voc_labels``."""

import math
from collections.abc import Mapping
from typing import Final
from xml.etree.ElementTree import XML, Element, ParseError

from pydantic import JsonValue

from storage.datasets.rows import AnnotationRow, attributes_text
from workers.formats.format import Labels, id_of
from workers.formats.voc_names import ABSENT, FLAGS, HEADER, box_of, class_name
from workers.formats.xml_tree import BYTES_AT_MOST

_CORNERS: Final = ("xmin", "ymin", "xmax", "ymax")


class _UnusualError(Exception):
    """There is something that only the careful way can read, or name as wrong."""


def quick_labels(data: bytes) -> Labels | None:
    """Return what a VOC file says as the careful way would; None where that way has to be gone."""
    # No declarations, so that there are no entities; no comments and nothing quoted.
    if b"<!" in data or len(data) > BYTES_AT_MOST:
        return None
    try:
        return _labels(XML(data))
    except (_UnusualError, ParseError, ValueError, LookupError):
        return None


def _labels(root: Element) -> Labels:
    if root.tag != "annotation":
        raise _UnusualError
    rows = []
    size: Element | None = None
    for node in root:
        if node.tag == "object":
            rows.append(_row(node))
        elif node.tag == "image_quality":
            _optional(node.text, unusual=True)
        elif node.tag not in HEADER or any(map(len, node)):
            raise _UnusualError
        elif node.tag == "size" and size is None:
            size = node
    return Labels(tuple(rows), size=None if size is None else _size(size))


def _row(node: Element) -> AnnotationRow:
    texts: dict[str, str] = {}
    box: Element | None = None
    for child in node:
        if child.tag == "bndbox" and box is None:
            box = child
        elif child.tag in texts or len(child):
            raise _UnusualError
        else:
            texts[child.tag] = child.text or ""
    if box is None or any(map(len, box)):
        raise _UnusualError
    corners = {child.tag: child.text or "" for child in box}
    given = texts.pop("annotation_id", None)
    confidence, quality = _optional(texts.pop("confidence", "")), _optional(texts.pop("box_quality", ""))
    if confidence is not None and not 0 <= confidence <= 1:
        raise _UnusualError
    return AnnotationRow(
        class_name(texts.pop("name")),
        _box(corners),
        _number(corners.get("rotate_angle", "0")),
        confidence=confidence,
        quality=quality,
        attributes=attributes_text(_attributes(texts)),
        id=None if given is None else id_of(given.strip()),
    )


def _box(corners: Mapping[str, str]) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(corners[name]) for name in _CORNERS)
    # Also false for what is no number.
    if not (left <= right and top <= bottom and math.isfinite(left + top + right + bottom)):
        raise _UnusualError
    return box_of(left, top, right, bottom)


def _attributes(texts: Mapping[str, str]) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for name, given in texts.items():
        if name not in FLAGS and name != "cm":
            raise _UnusualError
        text = given.strip()
        if text and text != FLAGS.get(name):
            found[name] = int(text) if text in {"0", "1"} else text
    return found


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _UnusualError
    return value


def _optional(text: str | None, *, unusual: bool = False) -> float | None:
    value = _number(text) if text and not text.isspace() else ABSENT
    if unusual and value != ABSENT:
        raise _UnusualError
    return None if value == ABSENT else value


def _size(size: Element) -> tuple[int, int] | None:
    sides = [size.find("width"), size.find("height")]
    texts = [(side.text or "").strip() for side in sides if side is not None]
    if len(texts) == len("wh") and all(text.isdecimal() and int(text[:9]) > 0 for text in texts):
        return int(texts[0][:9]), int(texts[1][:9])
    return None
