"""Rows: one image, one annotation, as formats read them and segments hold them."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import orjson
from pydantic import JsonValue

from schemas.annotations import Annotation, Box, Mask
from schemas.schema import AssetId
from schemas.splits import Split

PERCEPTUAL_HASH_BYTES: Final = 32
ID_BYTES: Final = 16
"""Of an annotation id."""


class ImageRow(NamedTuple):
    """One asset and, in segments of an import, what its file told; sizes are those of the image as displayed."""

    asset: bytes
    """The 32 bytes of its SHA-256."""
    file_name: str = ""
    """The path inside the source, with ``/``."""
    width: int = 0
    height: int = 0
    orientation: int = 1
    """The EXIF orientation, 1 to 8."""
    channels: int = 0
    size: int = 0
    """Bytes of the file."""
    media_type: str = ""
    perceptual_hash: bytes = b""
    """A 256-bit difference hash of the image as displayed."""


class MaskRow(NamedTuple):
    """A mask in COCO's compressed run-length encoding."""

    height: int
    width: int
    counts: str


class AnnotationRow(NamedTuple):
    """One annotation; lengths in pixels of the image as displayed, from its top left."""

    class_name: str | None = None
    box: tuple[float, float, float, float] | None = None
    """x, y, width, height."""
    rotation: float = 0.0
    polygons: tuple[tuple[float, ...], ...] = ()
    mask: MaskRow | None = None
    keypoints: tuple[float, ...] = ()
    crowd: bool = False
    area: float | None = None
    confidence: float | None = None
    quality: float | None = None
    attributes: str = ""
    """Canonical JSON text (sorted keys, no spaces) of an object; empty where there are none."""
    author: str = ""
    id: bytes | None = None
    """16 bytes; derived when the segment is built, where it is not given."""


class AssetRow(NamedTuple):
    """One asset of a version: its image, its split and, for each layer asked for, its annotations.

    A layer that is missing has not annotated the asset; an empty one has found nothing on it.
    """

    image: ImageRow
    split: Split
    layers: Mapping[str, tuple[AnnotationRow, ...]]

    @property
    def asset(self) -> AssetId:
        """The asset's id as text."""
        return self.image.asset.hex()


def attributes_text(attributes: Mapping[str, JsonValue]) -> str:
    """Return attributes as canonical JSON text, empty for none."""
    return orjson.dumps(dict(attributes), option=orjson.OPT_SORT_KEYS).decode() if attributes else ""


def to_row(annotation: Annotation) -> AnnotationRow:
    """Return an annotation of the API as a row."""
    box, mask = annotation.box, annotation.mask
    return AnnotationRow(
        class_name=annotation.class_name,
        box=None if box is None else (box.x, box.y, box.width, box.height),
        rotation=annotation.rotation,
        polygons=annotation.polygons,
        mask=None if mask is None else MaskRow(mask.height, mask.width, mask.counts),
        keypoints=annotation.keypoints,
        crowd=annotation.crowd,
        area=annotation.area,
        confidence=annotation.confidence,
        quality=annotation.quality,
        attributes=attributes_text(annotation.attributes),
        author=annotation.author or "",
        id=None if annotation.id is None else bytes.fromhex(annotation.id),
    )


def to_annotation(row: AnnotationRow) -> Annotation:
    """Return a row as an annotation of the API."""
    return Annotation(
        id=None if row.id is None else row.id.hex(),
        class_name=row.class_name,
        box=None if row.box is None else Box(x=row.box[0], y=row.box[1], width=row.box[2], height=row.box[3]),
        rotation=row.rotation,
        polygons=row.polygons,
        mask=None if row.mask is None else Mask(height=row.mask.height, width=row.mask.width, counts=row.mask.counts),
        keypoints=row.keypoints,
        crowd=row.crowd,
        area=row.area,
        confidence=row.confidence,
        quality=row.quality,
        attributes=orjson.loads(row.attributes) if row.attributes else {},
        author=row.author or None,
    )
