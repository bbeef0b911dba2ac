"""Export of Datumaro: a document for each subset."""

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Final

import orjson
from pydantic import JsonValue

from schemas.splits import Split
from storage.datasets.rows import AnnotationRow
from workers.formats.class_numbers import ClassNumbers
from workers.formats.datumaro_annotations import CAPTIONS, CROWD, IDENTITY, LABELS, ROTATION, SCORE
from workers.formats.exporter import ExportedImage, Member, Order, attributes_of
from workers.formats.losses import Field, has_place, lost_fields, tell_of_image
from workers.formats.parts import shapes_of
from workers.formats.split_lists import SPLIT_NAMES
from workers.formats.spool import Spool
from workers.formats.voc_names import is_class_name

VERSION: Final = "1.0"
IMAGES: Final = 2
"""Datumaro's number for datasets of images."""
KEPT: Final = frozenset[Field](
    {"rotation", "polygons", "mask", "keypoints", "crowd", "confidence", "attributes", "annotation ids"}
)
TAKEN: Final = frozenset({CROWD, IDENTITY, ROTATION, SCORE})
_NUMBERED: Final = {"z_order": 0, "object_id": -1}


class DatumaroExporter:
    """``annotations/<subset>.json``, where the subset is train, val, test or default."""

    displayed: ClassVar = False

    def __init__(self, order: Order) -> None:
        self._order = order
        self._classes = ClassNumbers(order.classes, first=0)
        self._items: dict[Split, Spool] = {}

    def add(self, image: ExportedImage) -> Iterator[Member]:
        """Take an image; one that is not annotated is not listed."""
        if image.annotations is None:
            tell_of_image(image, self._order.losses, attributes=False, splits=False)
        else:
            spool = self._spool(image.split)
            spool.write((b"," if spool.written else b"") + orjson.dumps(self._item(image)))
        yield from ()

    def finish(self) -> Iterator[Member]:
        """Yield the documents."""
        if not self._items:
            self._spool(Split.NONE)
        for split, spool in sorted(self._items.items()):
            yield Member(f"annotations/{SPLIT_NAMES.get(split, 'default')}.json", self._pieces(spool))

    def _pieces(self, items: Spool) -> Iterator[bytes]:
        labels = [{"name": name, "parent": "", "attributes": []} for name, _ in self._classes.items()]
        head = {
            "dm_format_version": VERSION,
            "media_type": IMAGES,
            "infos": {},
            "categories": {"label": {"labels": labels, "label_groups": [], "attributes": []}},
        }
        yield orjson.dumps(head)[:-1] + b',"items":['
        yield from items.pieces()
        yield b"]}\n"

    def _spool(self, split: Split) -> Spool:
        if split not in self._items:
            self._items[split] = self._order.spool(f"items-{split}")
        return self._items[split]

    def _item(self, image: ExportedImage) -> dict[str, Any]:
        attributes = dict(image.attributes)
        annotations = [*self._about_image(attributes)]
        group = 0
        for row in image.annotations or ():
            for kind, detail in datumaro_losses(row):
                self._order.losses.add(image.subject(row), detail, kind=kind)
            shapes = list(shapes_of(row))
            group += len(shapes) > 1
            annotations += [self._annotation(shape, group if len(shapes) > 1 else 0) for shape in shapes]
        for number, annotation in enumerate(annotations):
            annotation["id"] = number
        size = [image.height, image.width]
        item = {"id": image.stem, "annotations": annotations, "image": {"path": image.name, "size": size}}
        return {**item, "attr": attributes} if attributes else item

    def _about_image(self, attributes: dict[str, JsonValue]) -> Iterator[dict[str, Any]]:
        """Yield the classes and captions of a whole image, and take them out of its attributes."""
        given = attributes.get(LABELS)
        names = given if isinstance(given, list) else []
        if names and _are_distinct(names) and all(is_class_name(name) for name in names):
            del attributes[LABELS]
            yield from (_annotation("label", label_id=self._classes.of(str(name))) for name in names)
        given = attributes.get(CAPTIONS)
        captions = given if isinstance(given, list) else []
        if captions and _are_distinct(captions):
            del attributes[CAPTIONS]
            yield from (_annotation("caption", caption=caption) for caption in captions)

    def _annotation(self, row: AnnotationRow, group: int) -> dict[str, Any]:
        attributes = {key: value for key, value in attributes_of(row).items() if key not in TAKEN}
        fields: dict[str, Any] = {"group": group, "label_id": self._classes.of(row.class_name), "z_order": 0}
        for key, usual in _NUMBERED.items():
            value = attributes.get(key)
            if type(value) is int and value != usual:
                fields[key] = attributes.pop(key)
        if row.crowd:
            attributes[CROWD] = True
        if row.confidence is not None:
            attributes[SCORE] = row.confidence
        if row.rotation:
            # Datumaro's readers know no turned boxes here; its own and CVAT's exports say it like this.
            attributes[ROTATION] = math.degrees(row.rotation)
        if row.id is not None:
            attributes[IDENTITY] = row.id.hex()
        return {**_placed(row), **fields, "attributes": attributes}


def datumaro_losses(row: AnnotationRow) -> Iterator[tuple[str, str]]:
    """Yield the kind and detail of what a Datumaro document cannot say of an annotation."""
    if not has_place(row):
        yield "annotations without a place", "It has no box, polygon, mask or key points, and is left out."
        return
    yield from lost_fields(row, keeps=KEPT)
    for key in sorted(attributes_of(row).keys() & TAKEN if row.attributes else ()):
        yield "attributes that Datumaro takes otherwise", f"It has an attribute {key}, which Datumaro has a use for."


def _annotation(kind: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"id": 0, "type": kind, "attributes": {}, "group": 0, **fields}


def _placed(row: AnnotationRow) -> dict[str, Any]:
    if row.box is not None:
        return _annotation("bbox", bbox=row.box)
    if row.polygons:
        return _annotation("polygon", points=row.polygons[0])
    if row.mask is not None:
        return _annotation("mask", rle={"counts": row.mask.counts, "size": [row.mask.height, row.mask.width]})
    pairs = zip(row.keypoints[::3], row.keypoints[1::3], strict=True)
    points, seen = [number for pair in pairs for number in pair], [*map(int, row.keypoints[2::3])]
    return _annotation("points", points=points, visibility=seen)


def _are_distinct(values: list[JsonValue]) -> bool:
    texts = [value for value in values if isinstance(value, str)]
    return len(texts) == len(values) == len(set(texts))
