"""A manifest: which rows of which segments a version is made of; and a segment's own document."""

from typing import ClassVar, Final, NamedTuple

from pydantic import Field, NonNegativeInt

from schemas.annotations import ClassName, LayerName
from schemas.blobs import BlobRef
from schemas.schema import Digest, Document, Instant, Schema
from schemas.splits import Split

MANIFEST_MEDIA_TYPE: Final = "application/vnd.ymir.manifest+json"
SELECTION_MEDIA_TYPE: Final = "application/vnd.ymir.selection"
PARQUET_MEDIA_TYPE: Final = "application/vnd.apache.parquet"
SEGMENT_IMAGES: Final = 262_144


class Entry(NamedTuple):
    """The rows of one segment that are meant; both are digests, the selection's that of its packed bits."""

    segment: Digest
    selection: Digest


class Predictions(Schema):
    """Where a layer of predictions comes from, by content, so that the same work has the same digest."""

    model: Digest
    """The digest of the model's stage."""
    stage: str
    configuration: Digest
    classes: tuple[ClassName, ...]
    """What the model can predict, in its own order."""


class Layer(Schema):
    """The rows that are annotated in one layer; a row without annotations is annotated as empty."""

    entries: tuple[Entry, ...] = ()
    predictions: Predictions | None = None


class Manifest(Schema):
    """The content of a version. Entries are sorted, none is empty, no asset is twice in the images or in a layer."""

    format: int = 1
    images: dict[Split, tuple[Entry, ...]] = {}
    layers: dict[LayerName, Layer] = {}


class Segment(Document):
    """Names the files of one immutable segment; its id is its digest without ``sha256:``."""

    KIND: ClassVar[str] = "segment"

    digest: Digest
    format: int = 1
    images: BlobRef
    annotations: BlobRef
    image_rows: NonNegativeInt = Field(le=SEGMENT_IMAGES)
    annotation_rows: NonNegativeInt
    described: bool
    """Whether the images have names, sizes and hashes (segments of an import), or ids alone."""
    kept_at: Instant | None = None
    """When it was kept last, to the day: one that no version names is collected long after that."""
