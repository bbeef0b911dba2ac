"""Statistics of a version: counts by class and split, and histograms."""

from pydantic import JsonValue, NonNegativeFloat, NonNegativeInt

from schemas.annotations import ClassName, LayerName
from schemas.schema import Schema
from schemas.splits import Split


class Bin(Schema):
    """How many values are at least ``least`` and below that of the next bin; the last bin has no end."""

    least: float
    count: NonNegativeInt


Histogram = tuple[Bin, ...]


class ClassStatistics(Schema):
    """One class in one layer."""

    class_name: ClassName
    annotations: NonNegativeInt
    assets: NonNegativeInt
    area: NonNegativeFloat
    """Square pixels of all its annotations whose area or box is known."""
    annotations_by_split: dict[Split, NonNegativeInt] = {}
    assets_by_split: dict[Split, NonNegativeInt] = {}


class ValueCount(Schema):
    """How often an attribute has one value."""

    value: JsonValue
    count: NonNegativeInt


class AttributeStatistics(Schema):
    """One attribute in one layer."""

    name: str
    count: NonNegativeInt
    distinct: NonNegativeInt
    values: tuple[ValueCount, ...]
    """The most frequent values, at most 100."""


class LayerStatistics(Schema):
    """One layer: an image in it is positive if it has an annotation, negative if it is annotated as empty."""

    assets: NonNegativeInt
    positive: NonNegativeInt
    negative: NonNegativeInt
    not_annotated: NonNegativeInt
    annotations: NonNegativeInt
    without_class: NonNegativeInt
    area: NonNegativeFloat
    classes: tuple[ClassStatistics, ...] = ()
    attributes: tuple[AttributeStatistics, ...] = ()
    """At most 100, the most frequent first."""
    attributes_distinct: NonNegativeInt = 0
    histograms: dict[str, Histogram] = {}
    """``box_area``, ``box_area_ratio``, ``mask_area``, ``quality``, ``confidence``: annotations; ``annotations``,
    ``classes``: how many are on an image. Values that are not known are in no bin."""


class VersionStatistics(Schema):
    """Derived counts of one version."""

    images: NonNegativeInt
    splits: dict[Split, NonNegativeInt] = {}
    bytes: NonNegativeInt
    """Of all files whose size is known."""
    described: NonNegativeInt
    """Images whose size and bytes are known; the others are in no histogram."""
    histograms: dict[str, Histogram] = {}
    """``bytes`` (in units of 1,000,000), ``area`` (pixels), ``ratio`` (height by width)."""
    layers: dict[LayerName, LayerStatistics] = {}
