"""Which image rows of a segment meet conditions, by its columns."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import JsonValue

from schemas.algebra_parameters import Conditions
from schemas.annotations import LayerName
from storage.datasets.reading import ClassCodes, SegmentReader
from storage.datasets.selections import Mask

GEOMETRY: Final = ("area", "width", "height")


class AnyValue(Enum):
    """Stands for whatever value an attribute has."""

    ANY = auto()


Attributes = tuple[Mapping[str, "JsonValue | AnyValue"], ...]
"""Alternatives, any of which will do: each names attributes that must all be there, with just these values."""
Bounds = tuple[float | None, float | None]
UNBOUNDED: Final[Bounds] = (None, None)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What an annotation in some layers must meet, all of it at once, and classes that must not be there."""

    layers: tuple[LayerName, ...]
    include_classes: Collection[str] = ()
    exclude_classes: Collection[str] = ()
    attributes: Attributes = ()
    area: Bounds = UNBOUNDED
    confidence: Bounds = UNBOUNDED
    quality: Bounds = UNBOUNDED

    @classmethod
    def of(cls, conditions: Conditions) -> "Wanted":
        """Return what conditions ask of annotations."""
        return cls(
            layers=tuple(dict.fromkeys(conditions.layers)),
            include_classes=conditions.include_classes,
            exclude_classes=conditions.exclude_classes,
            attributes=(conditions.attributes,) if conditions.attributes else (),
            area=conditions.area,
            confidence=conditions.confidence,
            quality=conditions.quality,
        )

    @property
    def includes(self) -> bool:
        """Whether an asset must have some annotation."""
        return bool(self.attributes) or self.beside_attributes

    @property
    def beside_attributes(self) -> bool:
        """Whether an annotation must meet more than attributes."""
        bounds = (self.area, self.confidence, self.quality)
        return bool(self.include_classes) or any(one != UNBOUNDED for one in bounds)

    @property
    def looks_at_annotations(self) -> bool:
        """Whether annotations have to be read at all."""
        return self.includes or bool(self.exclude_classes)


class AnnotationColumns(NamedTuple):
    """What matching needs of the annotations of a segment; only what is asked for is there."""

    images: int
    image: NDArray[np.int32]
    classes: ClassCodes | None = None
    areas: NDArray[np.float64] | None = None
    confidences: NDArray[np.float64] | None = None
    qualities: NDArray[np.float64] | None = None
    attributes: Any = None
    """A dictionary column of canonical JSON texts."""


async def annotation_columns_for(reader: SegmentReader, wanted: Wanted) -> AnnotationColumns:
    """Return the columns of a segment that have to be looked at."""
    classes = areas = confidences = qualities = attributes = None
    if wanted.include_classes or wanted.exclude_classes:
        classes = await reader.classes()
    if wanted.area != UNBOUNDED:
        areas = areas_of(await reader.annotations(GEOMETRY))
    if wanted.confidence != UNBOUNDED:
        confidences = _numbers(await reader.annotations(["confidence"]), "confidence")
    if wanted.quality != UNBOUNDED:
        qualities = _numbers(await reader.annotations(["quality"]), "quality")
    if wanted.attributes:
        attributes = (await reader.annotations(["attributes"])).column("attributes")
    return AnnotationColumns(
        reader.document.image_rows, await reader.image_of(), classes, areas, confidences, qualities, attributes
    )


def areas_of(table: pa.Table) -> NDArray[np.float64]:
    """Return the area of each annotation: its own if it has one, else that of its box, else NaN."""
    box = _numbers(table, "width") * _numbers(table, "height")
    if table.column("area").null_count == table.num_rows:
        return box
    own = _numbers(table, "area")
    return np.where(np.isnan(own), box, own)


def rows_with(columns: AnnotationColumns, wanted: Wanted) -> Mask:
    """Return which image rows have an annotation that meets all that is wanted at once."""
    good = _meeting(columns, wanted)
    if wanted.attributes:
        good &= with_attributes(columns.attributes, wanted.attributes)
    return _image_rows(columns, good)


def rows_beside_attributes(columns: AnnotationColumns, wanted: Wanted) -> Mask:
    """Return the same, whatever the attributes of the annotation are."""
    return _image_rows(columns, _meeting(columns, wanted))


def rows_with_attributes(columns: AnnotationColumns, wanted: Wanted) -> Mask:
    """Return which image rows have an annotation with the attributes, whatever else it is."""
    return _image_rows(columns, with_attributes(columns.attributes, wanted.attributes))


def rows_of_classes(columns: AnnotationColumns, classes: Collection[str]) -> Mask:
    """Return which image rows have an annotation of one of some classes."""
    return _image_rows(columns, _of_classes(columns, classes))


def with_attributes(column: Any, wanted: Attributes) -> Mask:  # noqa: ANN401 - pyarrow has no types
    """Return which texts are objects that have all attributes of one of the alternatives."""
    encoded = column.combine_chunks().dictionary_encode()
    good = [any(_has(text, one) for one in wanted) for text in encoded.dictionary.to_pylist()]
    lookup = np.array([*good, False], np.bool_)
    codes: NDArray[np.int32] = encoded.indices.to_numpy(zero_copy_only=False)
    return lookup[codes]


def _meeting(columns: AnnotationColumns, wanted: Wanted) -> Mask:
    good = np.ones(len(columns.image), np.bool_)
    if wanted.include_classes:
        good = _of_classes(columns, wanted.include_classes)
    bounded = ((columns.areas, wanted.area), (columns.confidences, wanted.confidence))
    for values, bounds in (*bounded, (columns.qualities, wanted.quality)):
        if values is not None and bounds != UNBOUNDED:
            good &= _between(values, *bounds)
    return good


def _image_rows(columns: AnnotationColumns, good: Mask) -> Mask:
    rows = np.zeros(columns.images, np.bool_)
    rows[columns.image[good]] = True
    return rows


def _of_classes(columns: AnnotationColumns, classes: Collection[str]) -> Mask:
    codes, names = columns.classes or ClassCodes(np.zeros(0, np.int32), ())
    # One place more at the end: -1, an annotation without class, is none of them.
    lookup = np.array([*(name in classes for name in names), False], np.bool_)
    return lookup[codes] if lookup.any() else np.zeros(len(codes), np.bool_)


def _between(values: NDArray[np.float64], least: float | None, greatest: float | None) -> Mask:
    good = ~np.isnan(values)
    if least is not None:
        good &= values >= least
    if greatest is not None:
        good &= values <= greatest
    return good


def _has(text: str, wanted: Mapping[str, JsonValue | AnyValue]) -> bool:
    known = orjson.loads(text) if text else {}
    return all(key in known and _is(known[key], value) for key, value in wanted.items())


def _is(known: JsonValue, value: JsonValue | AnyValue) -> bool:
    # Compared as JSON: true is not 1.
    return isinstance(value, AnyValue) or _json(known) == _json(value)


def _json(value: JsonValue) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    values: NDArray[np.float64] = table.column(name).to_numpy()
    return values
