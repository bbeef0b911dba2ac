"""COCO as one JSON document, written image by image."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, Final

import orjson

from schemas.annotations import LayerName
from schemas.schema import AssetId
from storage.datasets.rows import AnnotationRow, AssetRow
from workers.formats.coco_annotations import around
from workers.formats.frames import stored_size, to_stored
from workers.formats.rle import pixels_of
from workers.formats.voc_writer import image_attributes

COCO_FILE: Final = "coco-annotations.json"


def coco_document(
    rows: Iterable[AssetRow], *, layer: LayerName, classes: Sequence[str], file_names: Mapping[AssetId, str]
) -> bytes:
    """Return the document of some images and their annotations of one layer, in the order given.

    Ids count from 1; the category of a class is its position in ``classes`` plus 1, and annotations of other classes
    are left out. An image that the layer does not annotate is listed like one annotated as empty. Coordinates are
    those of the picture as its file stores it.
    """
    writer = CocoWriter(io.BytesIO(), io.BytesIO(), layer=layer, classes=classes, closed=True)
    for row in rows:
        writer.add(row, file_name=file_names[row.asset])
    return b"".join(writer.pieces())


class CocoWriter:
    """Writes images and annotations into two files, and puts the document together from them."""

    def __init__(
        self,
        images: IO[bytes],
        annotations: IO[bytes],
        *,
        layer: LayerName,
        classes: Sequence[str],
        closed: bool,
    ) -> None:
        self._images = images
        self._annotations = annotations
        self._layer = layer
        self._closed = closed
        """Whether annotations of other classes are left out; else their classes are added as they come."""
        self._categories = {name: number for number, name in enumerate(classes, start=1)}
        self._images_written = 0
        self._annotations_written = 0

    def add(self, row: AssetRow, *, file_name: str) -> None:
        """Write one image and its annotations."""
        image = row.image
        width, height = stored_size(image)
        self._images_written += 1
        entry: dict[str, Any] = {"id": self._images_written, "file_name": file_name, "width": width, "height": height}
        if attributes := image_attributes(row):
            entry["attributes"] = attributes
        self._images.write((b"," if self._images_written > 1 else b"") + orjson.dumps(entry))
        for annotation in row.layers.get(self._layer, ()):
            category = self._category(annotation.class_name)
            if category is not None:
                self._add(annotation if image.orientation == 1 else to_stored(annotation, image), category)

    def pieces(self, size: int = 1 << 20) -> Iterator[bytes]:
        """Yield the whole document."""
        head = {
            "info": {"description": "exported by ymir"},
            "licenses": [],
            "categories": [
                {"id": number, "name": name, "supercategory": "object"} for name, number in self._categories.items()
            ],
        }
        yield orjson.dumps(head)[:-1] + b',"images":['
        yield from _read_again(self._images, size)
        yield b'],"annotations":['
        yield from _read_again(self._annotations, size)
        yield b"]}\n"

    def close(self) -> None:
        """Close both files."""
        self._images.close()
        self._annotations.close()

    def _category(self, name: str | None) -> int | None:
        if name is None or (self._closed and name not in self._categories):
            return None
        return self._categories.setdefault(name, len(self._categories) + 1)

    def _add(self, row: AnnotationRow, category: int) -> None:
        self._annotations_written += 1
        number = self._annotations_written
        entry = {
            "id": number,
            "image_id": self._images_written,
            "category_id": category,
            "iscrowd": int(row.crowd),
            "bbox": row.box or around(row.polygons),
            "area": _area(row),
            "segmentation": _segmentation(row),
            **_more(row),
        }
        self._annotations.write((b"," if number > 1 else b"") + orjson.dumps(entry))


def coco_losses(row: AnnotationRow) -> Iterator[str]:
    """Yield what a COCO document cannot say of an annotation."""
    if row.polygons and row.mask is not None:
        yield "masks beside polygons"
    if row.class_name is None:
        yield "annotations without a class"
    if row.box is None and not row.polygons and row.mask is None:
        yield "annotations without a place"


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


def _read_again(file: IO[bytes], size: int) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(size):
        yield piece
