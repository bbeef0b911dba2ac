"""What one item of a Datumaro document says of its image."""

import math
from collections.abc import Sequence
from typing import Any, Final

from pydantic import JsonValue

from storage.datasets.rows import AnnotationRow, attributes_text
from workers.formats.format import Labels, id_of
from workers.formats.json_values import (
    Wrong,
    a_list,
    a_number,
    an_object,
    box_of,
    mask_of_runs,
    numbers,
    polygon_of,
)
from workers.formats.parts import Part, ellipse, joined

ITEM_KEYS: Final = frozenset({"id", "annotations", "attr", "image", "media", "subset"})
SHAPE_KEYS: Final = frozenset({"id", "type", "attributes", "group", "label_id", "z_order", "object_id"})
LABELS: Final = "labels"
CAPTIONS: Final = "captions"
"""Attributes of the whole image: the classes and the texts that it is given as a whole."""
SCORE: Final = "score"
CROWD: Final = "is_crowd"
ROTATION: Final = "rotation"
IDENTITY: Final = "annotation_id"
"""Attributes that are more to us than attributes; the first three are Datumaro's own words."""
ABOUT_IMAGE: Final = frozenset({"label", "caption"})
_PLACES: Final = {
    "bbox": "bbox",
    "rotated_bbox": "points",
    "polygon": "points",
    "ellipse": "points",
    "points": "points",
    "mask": "rle",
}


class Item:
    """One item read: its labels, and all that is wrong with it."""

    def __init__(self, entry: dict[str, Any], *, classes: Sequence[str], where: str) -> None:
        self.faults: list[Wrong] = []
        self._classes = classes
        self._parts: list[Part] = []
        self._attributes: dict[str, JsonValue] = {}
        self._dropped = [f"items[].{key}" for key in sorted(entry.keys() - ITEM_KEYS)]
        self._size: tuple[int, int] | None = None
        self._try(where, lambda: self._whole(entry))
        for position, annotation in enumerate(self._entries(entry, where)):
            self._try(f"{where}.annotations[{position}]", lambda value=annotation: self._annotation(value))

    @property
    def labels(self) -> Labels:
        """What the item says of its image."""
        return Labels(tuple(joined(self._parts)), attributes_text(self._attributes), self._size, tuple(self._dropped))

    def _try(self, where: str, read: Any) -> None:  # noqa: ANN401 - a function of nothing
        try:
            read()
        except Wrong as error:
            self.faults.append(Wrong(error.detail, where + error.where))

    def _entries(self, entry: dict[str, Any], where: str) -> list[Any]:
        found: list[Any] = []
        self._try(where, lambda: found.extend(a_list(entry.get("annotations"), ".annotations")))
        return found

    def _whole(self, entry: dict[str, Any]) -> None:
        self._attributes |= an_object(entry.get("attr"), ".attr")
        size = an_object(entry.get("image"), ".image").get("size")
        if size is not None:
            height, width = numbers(size, ".image.size", count=2)
            self._size = int(width), int(height)

    def _annotation(self, entry: Any) -> None:  # noqa: ANN401 - foreign JSON
        if not isinstance(entry, dict) or not isinstance(entry.get("type"), str):
            raise Wrong("is not an object with a type")
        kind = entry["type"]
        attributes: dict[str, JsonValue] = {**an_object(entry.get("attributes"), ".attributes")}
        if kind in ABOUT_IMAGE:
            self._about_image(kind, entry, attributes)
        elif kind in _PLACES:
            self._part(kind, entry, attributes)
        else:
            self._dropped.append(f"annotations of the type {kind[:50]!r}")

    def _about_image(self, kind: str, entry: dict[str, Any], attributes: dict[str, JsonValue]) -> None:
        if kind == "caption":
            self._add(CAPTIONS, str(entry.get("caption", "")))
        else:
            self._add(LABELS, self._class(entry))
        for key, value in attributes.items():
            if self._attributes.setdefault(key, value) != value:
                self._dropped.append(f"a second value of the attribute {key[:50]!r} of the whole image")

    def _add(self, key: str, value: JsonValue) -> None:
        values = self._attributes.setdefault(key, [])
        if isinstance(values, list):
            if value not in values:
                values.append(value)
        else:
            self._dropped.append(f"{key} beside an attribute of that name")

    def _part(self, kind: str, entry: dict[str, Any], attributes: dict[str, JsonValue]) -> None:
        row = self._shape(kind, entry, attributes)
        more = (("z_order", 0), ("object_id", -1))
        for key, usual in more:
            if entry.get(key) not in (None, usual):
                attributes.setdefault(key, entry[key])
        self._dropped += [f"{kind} annotations[].{key}" for key in sorted(entry.keys() - SHAPE_KEYS - _OWN[kind])]
        row = row._replace(
            class_name=self._class(entry),
            crowd=attributes.pop(CROWD) is True if attributes.get(CROWD) in (True, False) else False,
            confidence=_confidence(attributes),
            id=_identity(attributes),
        )
        group = entry.get("group")
        if group is not None and type(group) is not int:
            raise Wrong("is not a whole number", ".group")
        # Zero is Datumaro's word for no group.
        self._parts.append(Part(row, attributes, group or None))

    def _shape(self, kind: str, entry: dict[str, Any], attributes: dict[str, JsonValue]) -> AnnotationRow:
        place = _PLACES[kind]
        value, where = entry.get(place), f".{place}"
        if kind == "bbox":
            turn = a_number(attributes.pop(ROTATION), f".attributes.{ROTATION}") if ROTATION in attributes else 0.0
            return AnnotationRow(box=box_of(value, where), rotation=math.radians(turn))
        if kind == "rotated_bbox":
            across, down, width, height, turn = numbers(value, where, count=5)
            if width < 0 or height < 0:
                raise Wrong(f"has a negative size: {width:g} x {height:g}", where)
            return AnnotationRow(
                box=(across - width / 2, down - height / 2, width, height), rotation=math.radians(turn)
            )
        if kind == "mask":
            return AnnotationRow(mask=mask_of_runs(value, where))
        if kind == "points":
            return AnnotationRow(keypoints=_keypoints(entry))
        if kind == "ellipse":
            self._dropped.append("the form of ellipses, which become polygons,")
            left, top, right, bottom = numbers(value, where, count=4)
            centre, radii = ((left + right) / 2, (top + bottom) / 2), ((right - left) / 2, (bottom - top) / 2)
            return AnnotationRow(polygons=(ellipse(centre, radii),))
        return AnnotationRow(polygons=(polygon_of(numbers(value, where), where),))

    def _class(self, entry: dict[str, Any]) -> str | None:
        label = entry.get("label_id")
        if label is None:
            return None
        if type(label) is not int or not 0 <= label < len(self._classes):
            raise Wrong(f"is {str(label)[:50]}, which is not among the {len(self._classes)} labels", ".label_id")
        return self._classes[label]


_OWN: Final = {
    kind: frozenset({place, "visibility"} if kind == "points" else {place}) for kind, place in _PLACES.items()
}


def _keypoints(entry: dict[str, Any]) -> tuple[float, ...]:
    points = numbers(entry.get("points"), ".points")
    if len(points) % 2:
        raise Wrong(f"has {len(points)} numbers; it needs x, y for each point", ".points")
    count = len(points) // 2
    given = entry.get("visibility")
    seen = (2.0,) * count if given is None else numbers(given, ".visibility", count=count)
    if not {0, 1, 2} >= set(seen):
        raise Wrong("is not 0, 1 or 2 for each point", ".visibility")
    return tuple(number for point in zip(points[::2], points[1::2], seen, strict=True) for number in point)


def _confidence(attributes: dict[str, JsonValue]) -> float | None:
    score = attributes.get(SCORE)
    if isinstance(score, bool) or not isinstance(score, (int, float)) or not 0 <= score <= 1:
        return None
    del attributes[SCORE]
    return float(score)


def _identity(attributes: dict[str, JsonValue]) -> bytes | None:
    try:
        return id_of(attributes.pop(IDENTITY, None))
    except ValueError as error:
        raise Wrong(str(error), f".attributes.{IDENTITY}") from None
