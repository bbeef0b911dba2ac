"""From the columns of a segment back to rows."""

from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa

from storage.datasets.columns import BOX, DESCRIPTION_COLUMNS, fixed_matrix
from storage.datasets.rows import AnnotationRow, ImageRow, MaskRow

# Made this way an AnnotationRow costs a third of what calling it costs; the columns come in its order.
_annotation_row: Final = partial(tuple.__new__, AnnotationRow)
_image_row: Final = partial(tuple.__new__, ImageRow)


def image_rows(images: pa.Table) -> list[ImageRow]:
    """Return the rows of a table of images; those without a description have ids alone."""
    assets = [bytes(asset) for asset in fixed_matrix(_whole(images, "asset"))]
    if "file_name" not in images.column_names:
        return [ImageRow(asset) for asset in assets]
    columns = [_values(images, name) for name in DESCRIPTION_COLUMNS.names[:-1]]
    hashes = [value or b"" for value in _values(images, "perceptual_hash")]
    return list(map(_image_row, zip(assets, *columns, hashes, strict=True)))


def annotation_rows(annotations: pa.Table) -> list[AnnotationRow]:
    """Return the rows of a table of annotations that has every column."""
    columns = (
        _values(annotations, "class"),
        _boxes(annotations),
        _values(annotations, "rotation"),
        [tuple(map(tuple, polygons)) for polygons in _lists(annotations, "polygons")],
        _masks(annotations),
        [tuple(points) for points in _lists(annotations, "keypoints")],
        *(_values(annotations, name) for name in ("crowd", "area", "confidence", "quality", "attributes", "author")),
        [bytes(identity) for identity in fixed_matrix(_whole(annotations, "id"))],
    )
    return list(map(_annotation_row, zip(*columns, strict=True)))


def _whole(table: pa.Table, name: str) -> Any:  # noqa: ANN401 - pyarrow has no types
    return table.column(name).combine_chunks()


def _values(table: pa.Table, name: str) -> list[Any]:
    column = table.column(name)
    if column.null_count == len(column):
        return [None] * len(column)
    if pa.types.is_dictionary(column.type):
        column = _whole(table, name)
        names = [*column.dictionary.to_pylist(), None]
        codes = column.indices.fill_null(len(names) - 1).to_numpy(zero_copy_only=False)
        return [names[code] for code in codes.tolist()]
    if column.null_count == 0 and pa.types.is_primitive(column.type):
        return list(column.to_numpy().tolist())
    return list(column.to_pylist())


def _lists(table: pa.Table, name: str) -> list[Any]:
    column = _whole(table, name)
    return list(column.to_pylist()) if len(column.flatten()) else [()] * len(column)


def _boxes(table: pa.Table) -> list[tuple[float, ...] | None]:
    x = table.column("x")
    sides = [table.column(name).to_numpy().tolist() for name in BOX]
    boxes: list[tuple[float, ...] | None] = list(zip(*sides, strict=True))
    if x.null_count:
        for row in np.flatnonzero(x.is_null().to_numpy()):
            boxes[row] = None
    return boxes


def _masks(table: pa.Table) -> list[MaskRow | None]:
    counts = table.column("mask_counts")
    if counts.null_count == len(counts):
        return [None] * len(counts)
    columns = (_values(table, "mask_height"), _values(table, "mask_width"), counts.to_pylist())
    return [None if mask[2] is None else MaskRow(*mask) for mask in zip(*columns, strict=True)]
