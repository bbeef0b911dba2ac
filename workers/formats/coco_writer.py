"""COCO as one JSON document, written image by image."""

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from storage.datasets.mask_pixels import pixels_of
from storage.datasets.rows import AnnotationRow
from workers.formats.class_numbers import ClassNumbers
from workers.formats.coco_annotations import around
from workers.formats.exporter import ExportedImage
from workers.formats.spool import Spool


def coco_document(images: Iterable[ExportedImage], *, classes: Sequence[str]) -> bytes:
    """Return the document of some images and their annotations, in the order given.

    Ids count from 1; the category of a class is its position in ``classes`` plus 1, and annotations of other classes
    are left out. An image that is not annotated is listed like one annotated as empty.
    """
    numbers = ClassNumbers(classes, first=1, closed=True)
    writer = CocoWriter(Spool(io.BytesIO()), Spool(io.BytesIO()), classes=numbers)
    for image in images:
        writer.add(image)
    return b"".join(writer.pieces())


class CocoWriter:
    """Writes images and annotations into two files, and puts the document together from them."""

    def __init__(self, images: Spool, annotations: Spool, *, classes: ClassNumbers) -> None:
        self._images = images
        self._annotations = annotations
        self._classes = classes

    def add(self, image: ExportedImage) -> None:
        """Write one image and its annotations."""
        number = self._images.written + 1
        entry: dict[str, Any] = {
            "id": number,
            "file_name": image.name,
            "width": image.width,
            "height": image.height,
        }
        if image.attributes:
            entry["attributes"] = image.attributes
        self._images.write((b"," if number > 1 else b"") + orjson.dumps(entry))
        for annotation in image.annotations or ():
            category = self._classes.of(annotation.class_name)
            if category is not None and has_place(annotation):
                self._add(annotation, number, category)

    def pieces(self) -> Iterator[bytes]:
        """Yield the whole document."""
        head = {
            "info": {"description": "exported by ymir"},
            "licenses": [],
            "categories": [
                {"id": number, "name": name, "supercategory": "object"} for name, number in self._classes.items()
            ],
        }
        yield orjson.dumps(head)[:-1] + b',"images":['
        yield from self._images.pieces()
        yield b'],"annotations":['
        yield from self._annotations.pieces()
        yield b"]}\n"

    def _add(self, row: AnnotationRow, image: int, category: int) -> None:
        number = self._annotations.written + 1
        entry = {
            "id": number,
            "image_id": image,
            "category_id": category,
            "iscrowd": int(row.crowd),
            "bbox": row.box or around(row.polygons),
            "area": _area(row),
            "segmentation": _segmentation(row),
            **_more(row),
        }
        self._annotations.write((b"," if number > 1 else b"") + orjson.dumps(entry))


def has_place(row: AnnotationRow) -> bool:
    """Return whether an annotation is somewhere in the picture."""
    return row.box is not None or bool(row.polygons) or row.mask is not None


def coco_losses(row: AnnotationRow) -> Iterator[tuple[str, str]]:
    """Yield the kind and detail of what a COCO document cannot say of an annotation."""
    if row.class_name is None:
        yield "annotations without a class", "It has no class, and is left out."
    elif not has_place(row):
        yield "annotations without a place", "It has no box, polygon or mask, and is left out."
    elif row.polygons and row.mask is not None:
        yield "masks beside polygons", "It has polygons and a mask; the polygons are kept."


def _more(row: AnnotationRow) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if row.keypoints:
        more["keypoints"] = row.keypoints
        more["num_keypoints"] = sum(visibility > 0 for visibility in row.keypoints[2::3])
    if row.rotation:
        more["rotation"] = row.rotation
    if row.confidence is not None:
        more["confidence"] = row.confidence
    if row.quality is not None:
        more["box_quality"] = row.quality
    if row.author:
        more["author"] = row.author
    if row.area is None and (row.polygons or row.mask):
        more["area_is_derived"] = True
    if row.id is not None:
        more["annotation_id"] = row.id.hex()
    if row.attributes:
        more["attributes"] = orjson.Fragment(row.attributes)
    return more


def _segmentation(row: AnnotationRow) -> Any:  # noqa: ANN401 - JSON, and a tuple where orjson writes a list
    if row.polygons or row.mask is None:
        return row.polygons
    return {"size": [row.mask.height, row.mask.width], "counts": row.mask.counts}


def _area(row: AnnotationRow) -> float:
    if row.area is not None:
        return row.area
    if row.polygons:
        return sum(_polygon_area(polygon) for polygon in row.polygons)
    if row.mask is not None:
        return float(pixels_of(row.mask).sum())
    return row.box[2] * row.box[3] if row.box else 0.0


def _polygon_area(points: Sequence[float]) -> float:
    """Return the area of a polygon by the shoelace formula."""
    across, down = points[::2], points[1::2]
    following = zip((*across[1:], across[0]), (*down[1:], down[0]), strict=True)
    return (
        abs(sum(x * after_y - after_x * y for x, y, (after_x, after_y) in zip(across, down, following, strict=True)))
        / 2
    )
