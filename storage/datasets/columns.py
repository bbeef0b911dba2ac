"""The columns of a segment's two files, and how rows become columns."""

from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.errors import Invalid
from storage.datasets.asset_ids import ASSET_BYTES
from storage.datasets.rows import PERCEPTUAL_HASH_BYTES, AnnotationRow, ImageRow

ID_BYTES: Final = 16
BOX: Final = ("x", "y", "width", "height")
NAMES: Final = pa.dictionary(pa.int32(), pa.string())

ASSET_COLUMNS: Final = pa.schema(
    [
        pa.field("asset", pa.binary(ASSET_BYTES), nullable=False),
        # How many annotations the row has: derived from the other file, so that counting need not open it.
        pa.field("annotations", pa.int32(), nullable=False),
    ]
)
DESCRIPTION_COLUMNS: Final = pa.schema(
    [
        pa.field("file_name", pa.string(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("orientation", pa.int8(), nullable=False),
        pa.field("channels", pa.int8(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("media_type", NAMES, nullable=False),
        pa.field("perceptual_hash", pa.binary(PERCEPTUAL_HASH_BYTES)),
    ]
)
ANNOTATION_COLUMNS: Final = pa.schema(
    [
        pa.field("image", pa.int32(), nullable=False),
        pa.field("id", pa.binary(ID_BYTES), nullable=False),
        pa.field("class", NAMES),
        *(pa.field(side, pa.float64()) for side in BOX),
        pa.field("rotation", pa.float64(), nullable=False),
        pa.field("polygons", pa.list_(pa.list_(pa.float64())), nullable=False),
        pa.field("mask_height", pa.int32()),
        pa.field("mask_width", pa.int32()),
        # Masks of one segment may be more than 2 GiB of text.
        pa.field("mask_counts", pa.large_string()),
        pa.field("keypoints", pa.list_(pa.float64()), nullable=False),
        pa.field("crowd", pa.bool_(), nullable=False),
        pa.field("area", pa.float64()),
        pa.field("confidence", pa.float64()),
        pa.field("quality", pa.float64()),
        pa.field("attributes", pa.string(), nullable=False),
        pa.field("author", NAMES, nullable=False),
    ]
)
FIELD: Final = {name: position for position, name in enumerate(AnnotationRow._fields)}
NO_BOX: Final = (np.nan,) * len(BOX)


def image_columns(images: Sequence[ImageRow], counts: NDArray[np.int32], *, described: bool) -> pa.Table:
    """Return the images file's columns; ``counts`` is how many annotations each image has."""
    columns: dict[str, Any] = {
        "asset": fixed_bytes(b"".join(map(itemgetter(0), images)), ASSET_BYTES),
        "annotations": pa.array(counts),
    }
    if not described:
        return pa.table(columns, schema=ASSET_COLUMNS)
    for position, name in enumerate(ImageRow._fields[1:-1], start=1):
        columns[name] = _described(name, list(map(itemgetter(position), images)))
    hashes = [image.perceptual_hash or None for image in images]
    columns["perceptual_hash"] = _array("perceptual_hash", hashes, pa.binary(PERCEPTUAL_HASH_BYTES))
    return pa.table(columns, schema=pa.schema([*ASSET_COLUMNS, *DESCRIPTION_COLUMNS]))


def annotation_columns(rows: Sequence[AnnotationRow], images: NDArray[np.int32]) -> dict[str, Any]:
    """Return the annotations file's columns but ``id``; ``images`` is the image row of each annotation."""
    masks = _field(rows, "mask")
    return {
        "image": pa.array(images),
        "class": _names("class", _field(rows, "class_name")),
        **_boxes(_field(rows, "box")),
        "rotation": pa.array(np.fromiter(_field(rows, "rotation"), np.float64, len(rows))),
        "polygons": _lists("polygons", _field(rows, "polygons")),
        "mask_height": _optional("mask_height", [mask and mask.height for mask in masks]),
        "mask_width": _optional("mask_width", [mask and mask.width for mask in masks]),
        "mask_counts": _optional("mask_counts", [mask and mask.counts for mask in masks]),
        "keypoints": _lists("keypoints", _field(rows, "keypoints")),
        "crowd": pa.array(np.fromiter(_field(rows, "crowd"), np.bool_, len(rows))),
        "area": _optional("area", _field(rows, "area")),
        "confidence": _optional("confidence", _field(rows, "confidence")),
        "quality": _optional("quality", _field(rows, "quality")),
        "attributes": _texts("attributes", _field(rows, "attributes")),
        "author": _names("author", _field(rows, "author")),
    }


def fixed_bytes(data: bytes, width: int) -> pa.Array:
    """Return joined values of one width as an Arrow column without copying them."""
    return pa.Array.from_buffers(pa.binary(width), len(data) // width, [None, pa.py_buffer(data)])


def fixed_matrix(column: Any) -> NDArray[np.uint8]:  # noqa: ANN401 - pyarrow has no types
    """Return a column of fixed-width bytes without nulls as a matrix, one value a row, without copying."""
    width = column.type.byte_width
    start = column.offset * width
    data = np.frombuffer(column.buffers()[1], dtype=np.uint8)[start : start + len(column) * width]
    return data.reshape(-1, width)


def _field(rows: Sequence[AnnotationRow], name: str) -> list[Any]:
    return list(map(itemgetter(FIELD[name]), rows))


def _described(name: str, values: list[Any]) -> pa.Array:
    if name == "media_type":
        return _names(name, values)
    return _array(name, values, DESCRIPTION_COLUMNS.field(name).type)


def _array(name: str, values: list[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    # Arrow's own refusals and text that is no UTF-8 (a file name of another encoding) are all ValueErrors.
    except (ValueError, OverflowError) as error:
        raise Invalid(
            f"A value of {name} cannot be kept: {error}.", step=f"Correct or leave out that {name}."
        ) from error


def _names(name: str, values: list[Any]) -> pa.Array:
    return _array(name, values, pa.string()).dictionary_encode()


def _boxes(boxes: list[Any]) -> dict[str, pa.Array]:
    missing = None
    if None in boxes:
        missing = np.fromiter((box is None for box in boxes), np.bool_, len(boxes))
        boxes = [NO_BOX if box is None else box for box in boxes]
    flat = np.fromiter(chain.from_iterable(boxes), np.float64, len(BOX) * len(boxes))
    sides = flat.reshape(-1, len(BOX)).T
    return {name: pa.array(np.ascontiguousarray(side), mask=missing) for name, side in zip(BOX, sides, strict=True)}


def _optional(name: str, values: list[Any]) -> pa.Array:
    kind = ANNOTATION_COLUMNS.field(name).type
    # Most columns are empty as a whole, and to see that is much quicker than to convert them.
    if values.count(None) == len(values):
        return pa.nulls(len(values), kind)
    return _array(name, values, kind)


def _texts(name: str, values: list[str]) -> pa.Array:
    return _array(name, values, pa.string()) if any(values) else pa.repeat(pa.scalar(""), len(values))


def _lists(name: str, values: list[Any]) -> pa.Array:
    kind = ANNOTATION_COLUMNS.field(name).type
    if any(values):
        return _array(name, values, kind)
    return pa.ListArray.from_arrays(np.zeros(len(values) + 1, np.int32), pa.array([], kind.value_type))
