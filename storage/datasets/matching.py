"""Which image rows of a segment meet conditions, by its columns."""

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import JsonValue

from schemas.algebra_parameters import Conditions
from storage.datasets.reading import ClassCodes, SegmentReader
from storage.datasets.selections import Mask

GEOMETRY: Final = ("area", "width", "height")


class AnnotationColumns(NamedTuple):
    """What matching needs of the annotations of a segment; only what is asked for is there."""

    images: int
    image: NDArray[np.int32]
    classes: ClassCodes | None = None
    areas: NDArray[np.float64] | None = None
    confidences: NDArray[np.float64] | None = None
    attributes: Any = None
    """A dictionary column of canonical JSON texts."""


async def annotation_columns_for(reader: SegmentReader, conditions: Conditions) -> AnnotationColumns:
    """Return the columns of a segment that the conditions look at."""
    classes = areas = confidences = attributes = None
    if conditions.include_classes or conditions.exclude_classes:
        classes = await reader.classes()
    if conditions.area != (None, None):
        areas = areas_of(await reader.annotations(GEOMETRY))
    if conditions.confidence != (None, None):
        confidences = _numbers(await reader.annotations(["confidence"]), "confidence")
    if conditions.attributes:
        attributes = (await reader.annotations(["attributes"])).column("attributes")
    return AnnotationColumns(
        reader.document.image_rows, await reader.image_of(), classes, areas, confidences, attributes
    )


def areas_of(table: pa.Table) -> NDArray[np.float64]:
    """Return the area of each annotation: its own if it has one, else that of its box, else NaN."""
    box = _numbers(table, "width") * _numbers(table, "height")
    if table.column("area").null_count == table.num_rows:
        return box
    own = _numbers(table, "area")
    return np.where(np.isnan(own), box, own)


def rows_with(columns: AnnotationColumns, conditions: Conditions) -> Mask:
    """Return which image rows have an annotation that meets classes, area, confidence and attributes together."""
    good = _meeting(columns, conditions)
    if columns.attributes is not None:
        good &= with_attributes(columns.attributes, conditions.attributes)
    return _image_rows(columns, good)


def rows_with_any_attributes(columns: AnnotationColumns, conditions: Conditions) -> Mask:
    """Return the same, whatever the attributes of the annotation are."""
    return _image_rows(columns, _meeting(columns, conditions))


def rows_of_classes(columns: AnnotationColumns, classes: Collection[str]) -> Mask:
    """Return which image rows have an annotation of one of some classes."""
    return _image_rows(columns, _of_classes(columns, classes))


def with_attributes(column: Any, wanted: Mapping[str, JsonValue]) -> Mask:  # noqa: ANN401 - pyarrow has no types
    """Return which texts are objects that have all the attributes wanted, with just these values."""
    encoded = column.combine_chunks().dictionary_encode()
    good = [_has(text, wanted) for text in encoded.dictionary.to_pylist()]
    lookup = np.array([*good, False], np.bool_)
    codes: NDArray[np.int32] = encoded.indices.to_numpy(zero_copy_only=False)
    return lookup[codes]


def _meeting(columns: AnnotationColumns, conditions: Conditions) -> Mask:
    good = np.ones(len(columns.image), np.bool_)
    if conditions.include_classes:
        good &= _of_classes(columns, conditions.include_classes)
    if columns.areas is not None:
        good &= _between(columns.areas, *conditions.area)
    if columns.confidences is not None:
        good &= _between(columns.confidences, *conditions.confidence)
    return good


def _image_rows(columns: AnnotationColumns, good: Mask) -> Mask:
    rows = np.zeros(columns.images, np.bool_)
    rows[columns.image[good]] = True
    return rows


def _of_classes(columns: AnnotationColumns, classes: Collection[str]) -> Mask:
    codes, names = columns.classes or ClassCodes(np.zeros(0, np.int32), ())
    # One place more at the end: -1, an annotation without class, is none of them.
    lookup = np.array([*(name in classes for name in names), False], np.bool_)
    return lookup[codes]


def _between(values: NDArray[np.float64], least: float | None, greatest: float | None) -> Mask:
    good = ~np.isnan(values)
    if least is not None:
        good &= values >= least
    if greatest is not None:
        good &= values <= greatest
    return good


def _has(text: str, wanted: Mapping[str, JsonValue]) -> bool:
    known = orjson.loads(text) if text else {}
    # Compared as JSON: true is not 1.
    return all(key in known and _json(known[key]) == _json(value) for key, value in wanted.items())


def _json(value: JsonValue) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    values: NDArray[np.float64] = table.column(name).to_numpy()
    return values
