"""The regions of one piece of work in Label Studio, as rows: those of one id are parts of one object."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from storage.datasets.rows import AnnotationRow
from workers.formats.format import id_of
from workers.formats.json_values import Wrong, a_list, a_number, an_object
from workers.formats.label_studio_shapes import SHAPES, Size, place_of
from workers.formats.parts import Part, joined
from workers.formats.voc_names import class_name

OURS: Final = "ymir"
"""The key under ``meta`` of what Label Studio has no place for."""
_OUR_ID: Final = re.compile("([0-9a-f]{32})(-[0-9]+)?")
_KINDS: Final = (*SHAPES, "keypoint")
# Answers about the whole image, or about a region under its id.
_ANSWERS: Final = {
    "choices": "choices",
    "rating": "rating",
    "number": "number",
    "textarea": "text",
    "taxonomy": "taxonomy",
}
_KNOWN: Final = frozenset(
    {
        *(
            "id",
            "type",
            "from_name",
            "to_name",
            "original_width",
            "original_height",
            "image_rotation",
            "value",
            "score",
        ),
        *("origin", "meta", "source", "parentID", "hidden", "locked", "readonly", "selected", "item_index"),
    }
)
VISIBLE: Final = 2.0
POINTS_AT_MOST: Final = 10_000


class _Point(NamedTuple):
    """One key point, and which of how many it is, if that was written by us."""

    number: int
    of: int
    values: tuple[float, float, float]


class Regions:
    """Takes results, and gives objects."""

    def __init__(self, size: Size, *, author: str, score: float | None) -> None:
        self.dropped: list[str] = []
        self.remarks: list[tuple[str, str]] = []
        """Kinds and details of what is worth saying."""
        self.of_image: dict[str, Any] = {}
        self._size = size
        self._author = author
        self._score = score
        self._shapes: dict[str, list[AnnotationRow]] = {}
        self._points: dict[str, list[_Point]] = {}
        self._classes: dict[str, str] = {}
        self._answers: dict[str, dict[str, Any]] = {}
        self._more: dict[str, dict[str, Any]] = {}
        self._scores: dict[str, float | None] = {}
        self._ids: dict[str, bytes | None] = {}

    def add(self, result: Any) -> None:  # noqa: ANN401 - foreign JSON
        """Take one result; raise Wrong naming the field that is."""
        result = an_object(result, "")
        value = an_object(result.get("value"), ".value")
        kind = str(result.get("type", ""))
        self.dropped += [f"result[].{key}" for key in sorted(result.keys() - _KNOWN)]
        if result.get("image_rotation"):
            self.remarks.append(
                ("image rotation", "That an annotator turned the picture is lost; coordinates are kept.")
            )
        identity = self._identity(result)
        shape = kind.removesuffix("labels")
        if kind == "labels" or shape in _KINDS:
            self._class(identity, value, kind)
        if shape in _KINDS:
            self._shape(identity, shape, value, result)
        elif kind in _ANSWERS:
            self._answer(identity, result, value.get(_ANSWERS[kind]))
        elif kind != "labels":
            self.dropped.append(f"results of the type {kind[:50]!r}")

    def rows(self) -> list[AnnotationRow]:
        """Return the objects, in the order in which they came; raise Wrong for what contradicts itself."""
        parts = []
        for number, (identity, shapes) in enumerate(self._shapes.items()):
            points = self._keypoints(identity)
            attributes = {**self._answers.get(identity, {}), **self._our_attributes(identity)}
            for shape in shapes if not points else [*shapes, AnnotationRow(keypoints=points)]:
                row = shape._replace(
                    class_name=self._classes.get(identity),
                    id=self._ids[identity],
                    confidence=self._scores.get(identity),
                    author=self._author,
                )
                parts.append(Part(self._with_more(row, self._more.get(identity, {})), attributes, number))
        kept = [part for part in parts if part.row.class_name is not None]
        if len(kept) < len(parts):
            self.remarks.append(("no label", f"{len(parts) - len(kept)} regions without a label are left out."))
        for identity, answers in self._answers.items():
            if identity not in self._shapes:
                self.of_image |= answers
        return joined(kept)

    def _identity(self, result: Mapping[str, Any]) -> str:
        given = result.get("id")
        text = given if isinstance(given, str) and given else f" {len(self._ids)}"
        ours = _OUR_ID.fullmatch(text)
        identity = ours[1] if ours else text
        self._ids.setdefault(identity, id_of(ours[1]) if ours else None)
        return identity

    def _class(self, identity: str, value: Mapping[str, Any], kind: str) -> None:
        key = kind if kind in value else next((key for key in value if key.endswith("labels")), "labels")
        labels = a_list(value.get(key), f".value.{key}")
        if not labels:
            return
        if len(labels) > 1:
            self.remarks.append(("several labels", f"Of the labels {str(labels)[:100]} of a region the first is kept."))
        try:
            self._classes[identity] = class_name(labels[0])
        except (ValueError, AttributeError, TypeError):
            raise Wrong(f"is no class name: {str(labels[0])[:50]!r}", f".value.{key}[0]") from None

    def _shape(self, identity: str, kind: str, value: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        shapes = self._shapes.setdefault(identity, [])
        meta = an_object(result.get("meta"), ".meta")
        more = an_object(meta.get(OURS), f".meta.{OURS}")
        self.dropped += [f"result[].meta.{key}" for key in sorted(meta.keys() - {OURS})]
        self._more.setdefault(identity, more)
        score = score_of(result.get("score"), ".score")
        self._scores.setdefault(identity, self._score if score is None else score)
        if kind == "keypoint":
            self._points.setdefault(identity, []).append(self._point(value, more))
        elif (row := SHAPES[kind](value, self._size)) is not None:
            shapes.append(row)
            if kind == "ellipse":
                self.remarks.append(("ellipses", "An ellipse is kept as a polygon of 64 points."))

    def _point(self, value: Mapping[str, Any], more: Mapping[str, Any]) -> _Point:
        x, y = place_of(value, self._size)
        seen = more.get("visibility", VISIBLE)
        if seen not in {0, 1, 2}:
            raise Wrong("is not 0, 1 or 2", f".meta.{OURS}.visibility")
        number, of = more.get("number", -1), more.get("of", 0)
        if type(number) is not int or type(of) is not int or not -1 <= number < max(of, 1) <= POINTS_AT_MOST:
            raise Wrong("is no number of a point among others", f".meta.{OURS}.number")
        return _Point(number, of, (x, y, float(seen)))

    def _keypoints(self, identity: str) -> tuple[float, ...]:
        """Return the key points of an object in order; where we wrote them, those without a place in between."""
        points = self._points.get(identity, [])
        if not points:
            return ()
        if any(point.number < 0 for point in points):
            return tuple(number for point in points for number in point.values)
        placed = {point.number: point.values for point in points}
        return tuple(number for place in range(points[0].of) for number in placed.get(place, (0.0, 0.0, 0.0)))

    def _answer(self, identity: str, result: Mapping[str, Any], value: Any) -> None:  # noqa: ANN401 - foreign JSON
        name = result.get("from_name")
        if not isinstance(name, str) or not name:
            raise Wrong("is no name", ".from_name")
        plain = value[0] if isinstance(value, list) and len(value) == 1 else value
        self._answers.setdefault(identity, {})[name] = plain

    def _our_attributes(self, identity: str) -> dict[str, Any]:
        return an_object(self._more.get(identity, {}).get("attributes"), f".meta.{OURS}.attributes")

    def _with_more(self, row: AnnotationRow, more: Mapping[str, Any]) -> AnnotationRow:
        author = more.get("author")
        return row._replace(
            crowd=more.get("crowd") is True,
            area=_optional(more, "area"),
            quality=_optional(more, "quality"),
            author=author if isinstance(author, str) else row.author,
        )


def region_type(region: Mapping[str, Any]) -> str | None:
    """Return the type of a region in the form JSON-MIN; None where it is none."""
    return next((f"{kind}labels" for kind in _KINDS if f"{kind}labels" in region), None)


def score_of(value: Any, where: str) -> float | None:  # noqa: ANN401 - foreign JSON
    """Return a score from 0 to 1, None for none; raise Wrong."""
    if value is None:
        return None
    score = a_number(value, where)
    if not 0 <= score <= 1:
        raise Wrong(f"is not from 0 to 1: {score:g}", where)
    return score


def _optional(more: Mapping[str, Any], key: str) -> float | None:
    value = more.get(key)
    return None if value is None else a_number(value, f".meta.{OURS}.{key}")
