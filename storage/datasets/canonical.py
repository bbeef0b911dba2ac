"""The digest of a segment: SHA-256 over its canonical columns, whatever Parquet makes of them (docs/segments.md)."""

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.schema import Digest
from storage.datasets.columns import ANNOTATION_COLUMNS, ASSET_COLUMNS, DESCRIPTION_COLUMNS, fixed_matrix

MAGIC: Final = b"ymir segment 1\n"
# Counted from the other file; and what a decoder made of the image, which another release of it may make otherwise.
DERIVED: Final = frozenset({"annotations", "perceptual_hash"})


def segment_digest(images: pa.Table, annotations: pa.Table) -> Digest:
    """Return the digest of a segment whose images have ids alone, or all columns of an import."""
    described = "file_name" in images.column_names
    digest = hashlib.sha256(MAGIC)
    for schema, table in ((ASSET_COLUMNS, images), (DESCRIPTION_COLUMNS, images), (ANNOTATION_COLUMNS, annotations)):
        if schema is DESCRIPTION_COLUMNS and not described:
            continue
        for name in schema.names:
            if name not in DERIVED:
                digest.update(f"{name}\n".encode())
                for piece in _pieces(_whole(table.column(name))):
                    digest.update(piece)
    return f"sha256:{digest.hexdigest()}"


def _whole(column: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _pieces(column: Any) -> Iterator[Any]:  # noqa: ANN401 - pyarrow has no types
    """Yield the canonical bytes of a column: how many rows, which are given, the given values."""
    yield np.array([len(column)], "<i8").data
    yield np.packbits(column.is_valid().to_numpy(zero_copy_only=False), bitorder="little").data
    given = column.drop_null() if column.null_count else column
    if pa.types.is_dictionary(column.type):
        yield from _named(given)
    elif pa.types.is_list(column.type):
        yield from _listed(given)
    elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        yield from _text(given)
    elif pa.types.is_fixed_size_binary(column.type):
        yield fixed_matrix(given).data
    else:
        yield _numbers(given)


def _named(column: Any) -> Iterator[Any]:  # noqa: ANN401 - pyarrow has no types
    """Yield the distinct names in order of their bytes, then the place of each row's name among them."""
    used = np.zeros(len(column.dictionary), np.bool_)
    codes = column.indices.to_numpy(zero_copy_only=False)
    used[codes] = True
    names = column.dictionary.to_pylist()
    order = sorted(np.flatnonzero(used).tolist(), key=lambda code: str(names[code]).encode())
    place = np.zeros(len(names), "<i4")
    place[order] = np.arange(len(order), dtype="<i4")
    yield from _text(pa.array([names[code] for code in order], pa.string()))
    yield place[codes].data


def _text(column: Any) -> Iterator[Any]:  # noqa: ANN401 - pyarrow has no types
    yield pc.binary_length(column).to_numpy(zero_copy_only=False).astype("<i4", copy=False).data
    kind = np.int64 if pa.types.is_large_string(column.type) else np.int32
    offsets = np.frombuffer(column.buffers()[1], kind)[column.offset : column.offset + len(column) + 1]
    if len(column) and offsets[-1] > offsets[0]:
        yield memoryview(column.buffers()[2])[offsets[0] : offsets[-1]]


def _listed(column: Any) -> Iterator[Any]:  # noqa: ANN401 - pyarrow has no types
    yield pc.list_value_length(column).to_numpy(zero_copy_only=False).astype("<i4", copy=False).data
    inner = column.flatten()
    if pa.types.is_list(inner.type):
        yield from _listed(inner)
    else:
        yield _numbers(inner)


def _numbers(column: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    values = column.to_numpy(zero_copy_only=False)
    if values.dtype.kind == "f":
        # -0.0 equals 0.0, so its bytes must.
        values = values + 0.0
    return values.astype(values.dtype.newbyteorder("<"), copy=False).data
