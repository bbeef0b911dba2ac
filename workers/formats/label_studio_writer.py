"""Annotations as results of Label Studio: percents of the picture as displayed."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final
from xml.sax.saxutils import quoteattr

import orjson

from storage.datasets.rows import AnnotationRow
from workers.formats.brush_rle import brush_rle
from workers.formats.exporter import ExportedImage
from workers.formats.label_studio_regions import OURS
from workers.formats.label_studio_shapes import PERCENT
from workers.formats.oriented import corners_of
from workers.formats.parts import shapes_of

TAGS: Final = {
    "rectangle": "RectangleLabels",
    "polygon": "PolygonLabels",
    "brush": "BrushLabels",
    "keypoint": "KeyPointLabels",
}
POINT_WIDTH: Final = 0.5
IMAGE: Final = "image"


def results_of(image: ExportedImage) -> list[dict[str, Any]]:
    """Return the results of an image's annotations that have a class and a place; ``task_losses`` tells the rest."""
    return [result for number, row in enumerate(image.annotations or ()) for result in _results(image, row, number)]


def task_losses(row: AnnotationRow) -> Iterator[tuple[str, str]]:
    """Yield the kind and detail of what a task cannot say of an annotation."""
    if row.class_name is None:
        yield "annotations without a class", "It has no class, and is left out."
    elif row.box is None and not row.polygons and row.mask is None and not any(row.keypoints):
        yield "annotations without a place", "It has no box, polygon, mask or key point, and is left out."


def labeling_config(classes: Sequence[str]) -> bytes:
    """Return the configuration of a project that can show all that is exported."""
    labels = "".join(f"    <Label value={quoteattr(name)}/>\n" for name in classes)
    controls = "".join(
        f'  <{tag} name="{name}" toName="{IMAGE}">\n{labels}  </{tag}>\n' for name, tag in TAGS.items() if classes
    )
    return f'<View>\n  <Image name="{IMAGE}" value="${IMAGE}"/>\n{controls}</View>\n'.encode()


def _results(image: ExportedImage, row: AnnotationRow, number: int) -> Iterator[dict[str, Any]]:
    if row.class_name is None:
        return
    identity = row.id.hex() if row.id is not None else f"annotation-{number}"
    more = _more(row)
    part = 0
    for shape in shapes_of(row):
        for kind, value, said in _values(image, shape):
            yield {
                # Regions of one object have its id; each needs one of its own.
                "id": identity if part == 0 else f"{identity}-{part}",
                "type": f"{kind}labels",
                "from_name": kind,
                "to_name": IMAGE,
                "original_width": image.width,
                "original_height": image.height,
                "image_rotation": 0,
                "value": {**value, f"{kind}labels": [row.class_name]},
                **({} if row.confidence is None else {"score": row.confidence}),
                **({"meta": {OURS: {**more, **said}}} if more or said else {}),
            }
            part += 1


def _more(row: AnnotationRow) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if row.crowd:
        more["crowd"] = True
    if row.area is not None:
        more["area"] = row.area
    if row.quality is not None:
        more["quality"] = row.quality
    if row.author:
        more["author"] = row.author
    if row.attributes:
        more["attributes"] = orjson.Fragment(row.attributes)
    return more


def _values(image: ExportedImage, shape: AnnotationRow) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield the kind and value of each region that a shape is, and what is to be said of that one."""
    width, height = image.width, image.height
    if shape.box is not None:
        x, y = corners_of(shape.box, shape.rotation)[:2]
        sides = {"width": shape.box[2] * PERCENT / width, "height": shape.box[3] * PERCENT / height}
        place = {"x": x * PERCENT / width, "y": y * PERCENT / height}
        yield "rectangle", {**place, **sides, "rotation": math.degrees(shape.rotation)}, {}
    for polygon in shape.polygons:
        points = [[x * PERCENT / width, y * PERCENT / height] for x, y in zip(polygon[::2], polygon[1::2], strict=True)]
        yield "polygon", {"points": points, "closed": True}, {}
    if shape.mask is not None:
        yield "brush", {"format": "rle", "rle": brush_rle(shape.mask)}, {}
    count = len(shape.keypoints) // 3
    for number in range(count):
        x, y, visibility = shape.keypoints[3 * number : 3 * number + 3]
        if x or y or visibility:
            place = {"x": x * PERCENT / width, "y": y * PERCENT / height, "width": POINT_WIDTH}
            yield "keypoint", place, {"number": number, "of": count, "visibility": int(visibility)}
