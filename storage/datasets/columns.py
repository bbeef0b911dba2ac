"""The columns of a segment's two files, and how rows become columns."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.errors import Invalid
from storage.datasets.asset_ids import ASSET_BYTES
from storage.datasets.packing import Lists, Packed, mask_column
from storage.datasets.rows import ID_BYTES, PERCEPTUAL_HASH_BYTES, AnnotationRow, ImageRow, MaskRow

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
_DEFAULTS: Final = AnnotationRow._field_defaults


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


def annotation_columns(pack: Packed) -> pa.Table:
    """Return the annotations file's columns, ``image`` counting the images of the pack."""
    masks = pack.plain.get("mask") or []
    sides = {name: np.ascontiguousarray(side) for name, side in zip(BOX, pack.boxes.T, strict=True)}
    columns = {
        "image": pa.array(np.repeat(np.arange(len(pack.counts), dtype=np.int32), pack.counts)),
        "id": fixed_bytes(pack.ids, ID_BYTES),
        "class": _coded("class", pack.names, pack.codes),
        **{name: pa.array(side, mask=pack.boxless) for name, side in sides.items()},
        "polygons": _polygons(pack),
        **{f"mask_{name}": _plain(f"mask_{name}", mask_column(masks, name), pack) for name in MaskRow._fields},
        "keypoints": _keypoints(pack),
    }
    others = (name for name in ANNOTATION_COLUMNS.names if name not in columns)
    columns |= {name: _plain(name, pack.plain.get(name, []), pack) for name in others}
    return pa.table(columns, schema=ANNOTATION_COLUMNS)


def fixed_bytes(data: bytes, width: int) -> pa.Array:
    """Return joined values of one width as an Arrow column without copying them."""
    return pa.Array.from_buffers(pa.binary(width), len(data) // width, [None, pa.py_buffer(data)])


def fixed_matrix(column: Any) -> NDArray[np.uint8]:  # noqa: ANN401 - pyarrow has no types
    """Return a column of fixed-width bytes without nulls as a matrix, one value a row, without copying."""
    width = column.type.byte_width
    start = column.offset * width
    data = np.frombuffer(column.buffers()[1], dtype=np.uint8)[start : start + len(column) * width]
    return data.reshape(-1, width)


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


def _names(name: str, values: list[str | None]) -> pa.Array:
    given = list(dict.fromkeys(values))
    place = {value: number for number, value in enumerate(given)}
    codes = np.fromiter(map(place.__getitem__, values), np.int32, len(values))
    return _coded(name, tuple(given), codes)


def _coded(name: str, names: Sequence[str | None], codes: NDArray[np.int32]) -> pa.Array:
    # In one order, whatever order the images came in: equal segments have equal files.
    ordered = sorted(value for value in names if value is not None)
    place = {value: number for number, value in enumerate(ordered)}
    place_of = np.array([0 if value is None else place[value] for value in names], np.int32)
    missing = np.array([value is None for value in names], np.bool_)
    mask = missing[codes] if missing.any() else None
    return pa.DictionaryArray.from_arrays(pa.array(place_of[codes], mask=mask), _array(name, ordered, pa.string()))


def _plain(name: str, values: list[Any], pack: Packed) -> pa.Array:
    field = ANNOTATION_COLUMNS.field(name)
    if not values and field.nullable:
        return pa.nulls(pack.rows, field.type)
    if not values:
        return _repeated(_DEFAULTS[name], field.type, pack.rows)
    return _names(name, values) if field.type == NAMES else _array(name, values, field.type)


def _repeated(value: object, kind: pa.DataType, rows: int) -> pa.Array:
    if kind == NAMES:
        return pa.repeat(pa.scalar(value, pa.string()), rows).dictionary_encode()
    return pa.repeat(pa.scalar(value, kind), rows)


def _polygons(pack: Packed) -> pa.Array:
    kind = ANNOTATION_COLUMNS.field("polygons").type
    if pack.polygons is None:
        return _empty(pack.rows, kind)
    counts, lists = pack.polygons
    return pa.ListArray.from_arrays(_offsets(counts), _listed(lists))


def _keypoints(pack: Packed) -> pa.Array:
    kind = ANNOTATION_COLUMNS.field("keypoints").type
    return _empty(pack.rows, kind) if pack.keypoints is None else _listed(pack.keypoints)


def _listed(lists: Lists) -> pa.Array:
    return pa.ListArray.from_arrays(_offsets(lists.lengths), pa.array(lists.values))


def _offsets(lengths: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)])


def _empty(rows: int, kind: pa.DataType) -> pa.Array:
    return pa.ListArray.from_arrays(np.zeros(rows + 1, np.int32), pa.array([], kind.value_type))
