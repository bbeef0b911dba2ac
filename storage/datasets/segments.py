"""Segments: immutable runs of images and their annotations, as two Parquet files and a document."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from schemas.annotations import LayerName
from schemas.blobs import BlobRef
from schemas.errors import Invalid
from schemas.manifests import PARQUET_MEDIA_TYPE, SEGMENT_IMAGES, Segment
from schemas.schema import digest_of
from storage.datasets.asset_ids import ASSET_BYTES
from storage.datasets.canonical import segment_digest
from storage.datasets.columns import (
    ANNOTATION_COLUMNS,
    annotation_columns,
    image_columns,
)
from storage.datasets.numbers import check_numbers
from storage.datasets.packing import Packed, packed
from storage.datasets.rows import AnnotationRow, ImageRow

FORMAT: Final = 1
DICTIONARIES: Final = ["class", "author", "media_type", "attributes"]
ROW_GROUP: Final = 1 << 16
"""So few rows lie together that a page of a large segment takes no more than its own."""


class BuiltSegment(NamedTuple):
    """A segment that is not kept yet: its document and the bytes of its two files."""

    document: Segment
    images: bytes
    annotations: bytes


def build_segment(
    images: Sequence[ImageRow],
    annotations: Sequence[Sequence[AnnotationRow]],
    *,
    layer: LayerName,
    described: bool,
) -> BuiltSegment:
    """Return the segment of some images, in any order, and the annotations of each.

    Annotations that have no id get one that follows from their asset, the layer and what they say. An image without
    annotations is a row all the same. It is CPU-heavy: call it in a thread. Raise Invalid for too many images, for an
    asset given twice, and for values that cannot be kept, naming the asset.
    """
    _check(images, len(annotations))
    pack = packed(annotations, assets=[image.asset for image in images], layer=layer)
    return packed_segment(images, pack, np.arange(len(images)), described=described)


def packed_segment(
    images: Sequence[ImageRow], pack: Packed, places: NDArray[np.integer], *, described: bool
) -> BuiltSegment:
    """Return the segment of some images, in any order, and of packed annotations.

    ``places`` tells which image of the pack each is; -1: one without annotations. Else as ``build_segment``.
    """
    order = _order(images)
    images, places = [images[position] for position in order], places[order]
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(pack.counts, dtype=np.int64)])
    counts = np.where(places < 0, 0, np.append(pack.counts, 0)[places]).astype(np.int32)
    firsts = np.where(places < 0, 0, starts[places]) - (np.cumsum(counts, dtype=np.int64) - counts)
    rows = np.repeat(firsts, counts) + np.arange(counts.sum())
    of_image = pa.array(np.repeat(np.arange(len(images), dtype=np.int32), counts))
    table = annotation_columns(pack).take(pa.array(rows))
    table = table.set_column(0, ANNOTATION_COLUMNS.field("image"), of_image).combine_chunks()
    check_numbers(table, images)
    return assembled(image_columns(images, counts, described=described), table)


def assembled(images: pa.Table, annotations: pa.Table) -> BuiltSegment:
    """Return the segment of columns that are sorted and checked."""
    files = _parquet(images), _parquet(annotations)
    refs = [BlobRef(digest=digest_of(data), size=len(data), media_type=PARQUET_MEDIA_TYPE) for data in files]
    digest = segment_digest(images, annotations)
    document = Segment(
        id=digest.removeprefix("sha256:"),
        digest=digest,
        format=FORMAT,
        images=refs[0],
        annotations=refs[1],
        image_rows=images.num_rows,
        annotation_rows=annotations.num_rows,
        described="file_name" in images.column_names,
    )
    return BuiltSegment(document, *files)


def _check(images: Sequence[ImageRow], annotated: int) -> None:
    if len(images) > SEGMENT_IMAGES:
        raise Invalid(
            f"A segment has at most {SEGMENT_IMAGES} images, not {len(images)}.",
            step="Build several segments.",
        )
    if len(images) != annotated:
        raise Invalid(f"{len(images)} images came with annotations for {annotated}.")
    odd = next((image.asset for image in images if len(image.asset) != ASSET_BYTES), None)
    if odd is not None:
        raise Invalid(f"An asset id has {ASSET_BYTES} bytes; {odd.hex()!r} has {len(odd)}.")


def _order(images: Sequence[ImageRow]) -> list[int]:
    assets = [image.asset for image in images]
    order = sorted(range(len(assets)), key=assets.__getitem__)
    for earlier, later in pairwise(order):
        if assets[earlier] == assets[later]:
            raise Invalid(
                f"The asset {assets[later].hex()} is given twice.",
                step="Give each image once, with all its annotations.",
            )
    return order


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    dictionaries = [name for name in DICTIONARIES if name in table.column_names]
    pq.write_table(
        table, sink, compression="zstd", compression_level=1, use_dictionary=dictionaries, row_group_size=ROW_GROUP
    )
    return bytes(sink.getvalue().to_pybytes())
