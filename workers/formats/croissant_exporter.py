"""Export of Croissant 1.1: tables of images and annotations, and metadata that say what is in them."""

import hashlib
from collections.abc import Iterator
from typing import Any, ClassVar, Final

import orjson

from schemas.splits import Split
from storage.datasets.rows import AnnotationRow
from workers.formats.class_numbers import ClassNumbers
from workers.formats.croissant_metadata import CroissantFile, metadata
from workers.formats.croissant_records import table_name
from workers.formats.exporter import ExportedImage, Member, Order
from workers.formats.split_lists import SPLIT_NAMES
from workers.formats.spool import Spool
from workers.formats.voc_names import class_name

FILE: Final = "croissant.json"


class CroissantExporter:
    """``croissant.json`` and ``tables/{images,annotations}.jsonl``: rows of what the metadata describe.

    Nothing is lost. What nobody told the project, such as a citation, is left out and never made up.
    """

    displayed: ClassVar = False

    def __init__(self, order: Order) -> None:
        self._order = order
        self._classes = ClassNumbers(order.classes, first=0)
        self._images, self._annotations = order.spool("images"), order.spool("annotations")
        self._types: set[str] = set()
        self._splits: set[Split] = set()

    def add(self, image: ExportedImage) -> Iterator[Member]:
        """Take an image."""
        self._types.add(image.row.media_type)
        self._splits.add(image.split)
        self._images.write(_line(_image(image)))
        for row in image.annotations or ():
            self._classes.of(row.class_name)
            self._annotations.write(_line(_annotation(image, row)))
        yield from ()

    def finish(self) -> Iterator[Member]:
        """Yield the tables and, with their digests, the metadata."""
        files: list[CroissantFile] = []
        for table, spool in (("images", self._images), ("annotations", self._annotations)):
            yield Member(table_name(table), _hashed(table_name(table), spool, files))
        for field in ("url", "creator", "datePublished", "citeAs"):
            detail = f"The project does not know the field {field} of Croissant; add it before you publish."
            self._order.losses.add(FILE, detail, kind="not known")
        document = metadata(
            self._order,
            files=files,
            classes=[class_name(name) for name, _ in self._classes.items()],
            media_types=sorted(self._types - {""}),
            splits=[name for split, name in SPLIT_NAMES.items() if split in self._splits],
        )
        if "license" not in document:
            detail = "No licence is known; a keyword of the version such as `license:https://…` names it."
            self._order.losses.add(FILE, detail, kind="not known")
        yield Member(FILE, [orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)])


def _hashed(name: str, spool: Spool, files: list[CroissantFile]) -> Iterator[bytes]:
    digest, size = hashlib.sha256(), 0
    for piece in spool.pieces():
        digest.update(piece)
        size += len(piece)
        yield piece
    files.append(CroissantFile(name, digest.hexdigest(), size))


def _image(image: ExportedImage) -> dict[str, Any]:
    return {
        "image": image.row.asset.hex(),
        "file_name": image.name,
        "width": image.width,
        "height": image.height,
        "split": SPLIT_NAMES.get(image.split),
        "annotated": image.annotations is not None,
        "attributes": _text(image.attributes) if image.attributes else None,
    }


def _annotation(image: ExportedImage, row: AnnotationRow) -> dict[str, Any]:
    mask = None if row.mask is None else {"size": [row.mask.height, row.mask.width], "counts": row.mask.counts}
    return {
        "id": None if row.id is None else row.id.hex(),
        "image": image.row.asset.hex(),
        "class": row.class_name,
        "box": row.box,
        "rotation": row.rotation,
        "polygons": _text(row.polygons) if row.polygons else None,
        "mask": None if mask is None else _text(mask),
        "keypoints": _text(row.keypoints) if row.keypoints else None,
        "crowd": row.crowd,
        "area": row.area,
        "confidence": row.confidence,
        "quality": row.quality,
        "attributes": row.attributes or None,
        "author": row.author or None,
    }


def _text(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _line(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
