"""One annotation of a COCO document as a row."""

import math
from collections.abc import Mapping
from typing import Any, Final

from storage.datasets.rows import AnnotationRow, MaskRow, attributes_text
from workers.formats.coco_places import Identity, identity_of
from workers.formats.format import id_of
from workers.formats.json_values import Wrong
from workers.formats.rle import mask_row

PLAIN: Final = frozenset({"id", "image_id", "category_id", "bbox", "segmentation", "area", "iscrowd"})
OURS: Final = frozenset(
    {"attributes", "author", "annotation_id", "area_is_derived", "box_quality", "confidence", "rotation"}
)
KNOWN: Final = PLAIN | OURS | {"keypoints", "num_keypoints", "score"}
POLYGON_AT_LEAST: Final = 6
ABSENT: Final = -1

Box = tuple[float, float, float, float]


def annotation_row(entry: dict[str, Any], categories: Mapping[Identity, str]) -> AnnotationRow:
    """Return an annotation as a row; raise Wrong naming the field that is."""
    category = identity_of(entry.get("category_id"))
    name = None if category is None else categories.get(category)
    if name is None:
        raise Wrong(f"names the category {entry.get('category_id')!r}, which is not listed", ".category_id")
    polygons, mask = _segmentation(entry.get("segmentation"))
    box = _box(entry, polygons)
    area = _area(entry, box, has_shape=bool(polygons or mask))
    row = AnnotationRow(name, box, polygons=polygons, mask=mask, crowd=_crowd(entry.get("iscrowd", 0)), area=area)
    # Most say no more, and there are millions.
    return row if entry.keys() <= PLAIN else _with_more(row, entry)


def _with_more(row: AnnotationRow, entry: dict[str, Any]) -> AnnotationRow:
    attributes = entry.get("attributes")
    if attributes and not isinstance(attributes, dict):
        raise Wrong("is not an object", ".attributes")
    return row._replace(
        rotation=_number(entry, "rotation") or 0.0,
        keypoints=_keypoints(entry.get("keypoints")),
        confidence=_confidence(entry),
        quality=_present(_number(entry, "box_quality")),
        attributes=attributes_text(attributes) if attributes else "",
        author=_text(entry.get("author") or ""),
        id=_id(entry.get("annotation_id")),
        area=None if entry.get("area_is_derived") is True else row.area,
    )


def _box(entry: dict[str, Any], polygons: tuple[tuple[float, ...], ...]) -> Box | None:
    bbox: Any = entry.get("bbox")
    if bbox is None and entry.get("segmentation"):
        return around(polygons)
    try:
        x, y, width, height = bbox
        finite = math.isfinite(x + y + width + height)
    except (TypeError, ValueError, OverflowError):
        finite = False
    if not finite:
        raise Wrong(f"is not four finite numbers: {str(bbox)[:50]}", ".bbox")
    if width < 0 or height < 0:
        raise Wrong(f"has a negative size: {str(bbox)[:50]}", ".bbox")
    return float(x), float(y), float(width), float(height)


def _area(entry: dict[str, Any], box: Box | None, *, has_shape: bool) -> float | None:
    """Return the area; None where it says no more than the box does."""
    area = _number(entry, "area", least=0.0)
    if area is None or box is None or has_shape:
        return area
    return None if math.isclose(area, box[2] * box[3], rel_tol=1e-6) else area


def around(polygons: tuple[tuple[float, ...], ...]) -> Box | None:
    """Return the least box around polygons."""
    if not polygons:
        return None
    across = [x for polygon in polygons for x in polygon[::2]]
    down = [y for polygon in polygons for y in polygon[1::2]]
    return min(across), min(down), max(across) - min(across), max(down) - min(down)


def _segmentation(value: Any) -> tuple[tuple[tuple[float, ...], ...], MaskRow | None]:  # noqa: ANN401 - foreign JSON
    # An empty one is common where there is only a box.
    if not value:
        return (), None
    if isinstance(value, dict):
        return (), _mask(value)
    if not isinstance(value, list):
        raise Wrong("is neither a list nor an object", ".segmentation")
    polygons = [value] if isinstance(value[0], (int, float)) else value
    return tuple(_polygon(polygon) for polygon in polygons if polygon), None


def _polygon(value: Any) -> tuple[float, ...]:  # noqa: ANN401 - foreign JSON
    points = _numbers(value, ".segmentation")
    if len(points) < POLYGON_AT_LEAST or len(points) % 2:
        raise Wrong(f"has a polygon of {len(points)} numbers; it needs x, y for at least 3 points", ".segmentation")
    return points


def _mask(value: dict[str, Any]) -> MaskRow:
    try:
        height, width = value["size"]
        return mask_row(value["counts"], height=int(height), width=int(width))
    except (KeyError, TypeError, ValueError) as error:
        detail = str(error) if type(error) is ValueError else "has no size of two numbers with counts"
        raise Wrong(f"is no mask: {detail}", ".segmentation") from None


def _keypoints(value: Any) -> tuple[float, ...]:  # noqa: ANN401 - foreign JSON
    if not value:
        return ()
    points = _numbers(value, ".keypoints")
    if len(points) % 3:
        raise Wrong(f"has {len(points)} numbers; it needs x, y, visibility for each point", ".keypoints")
    return points


def _numbers(value: Any, where: str) -> tuple[float, ...]:  # noqa: ANN401 - foreign JSON
    try:
        # The sum of texts, or of a text and a number, is none.
        finite = type(value) is list and math.isfinite(sum(value))
        numbers = tuple(map(float, value)) if finite else ()
    except (TypeError, ValueError, OverflowError):
        finite = False
    if not finite:
        raise Wrong("is not a list of finite numbers", where)
    return numbers


def _number(entry: dict[str, Any], key: str, *, least: float = -math.inf) -> float | None:
    value = entry.get(key)
    if value is None:
        return None
    if type(value) not in {int, float} or not math.isfinite(value) or value < least:
        raise Wrong(f"is not a number that can be used: {str(value)[:50]}", f".{key}")
    return float(value)


def _present(value: float | None) -> float | None:
    """Return None also for -1, which is how YMIR writes that there is none."""
    return None if value == ABSENT else value


def _confidence(entry: dict[str, Any]) -> float | None:
    key = "score" if "score" in entry else "confidence"
    value = _present(_number(entry, key))
    if value is not None and not 0 <= value <= 1:
        raise Wrong(f"is not from 0 to 1: {value}", f".{key}")
    return value


def _crowd(value: Any) -> bool:  # noqa: ANN401 - foreign JSON
    if value not in (0, 1):
        raise Wrong(f"is neither 0 nor 1: {str(value)[:50]}", ".iscrowd")
    return bool(value)


def _id(value: Any) -> bytes | None:  # noqa: ANN401 - foreign JSON
    try:
        return id_of(value)
    except ValueError as error:
        raise Wrong(str(error), ".annotation_id") from None


def _text(value: Any) -> str:  # noqa: ANN401 - foreign JSON
    if not isinstance(value, str):
        raise Wrong("is not text", ".author")
    return value
