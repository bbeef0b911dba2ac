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
    mask_area: NonNegativeFloat = 0.0
    """Square pixels of those that have an area of their own, as masks and polygons do."""
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
    mask_area: NonNegativeFloat = 0.0
    annotations_on_average: NonNegativeFloat = 0.0
    """How many are on an image that the layer annotates; below, of how many classes they are, and their area."""
    classes_on_average: NonNegativeFloat = 0.0
    area_on_average: NonNegativeFloat = 0.0
    classes: tuple[ClassStatistics, ...] = ()
    attributes: tuple[AttributeStatistics, ...] = ()
    """At most 100, the most frequent first."""
    attributes_distinct: NonNegativeInt = 0
    histograms: dict[str, Histogram] = {}
    """``box_area``, ``box_area_ratio``, ``mask_area``, ``quality``, ``confidence``: annotations; ``annotations``,
    ``classes``, ``density``: how many are on an image. Values that are not known are in no bin."""


class ChosenClasses(Schema):
    """The images of one layer by whether any of some classes is on them."""

    positive: NonNegativeInt
    negative: NonNegativeInt
    """Annotated, perhaps as empty, without any of them."""
    not_annotated: NonNegativeInt
    annotations: NonNegativeInt
    """Of these classes."""


class VersionStatistics(Schema):
    """Derived counts of one version."""

    images: NonNegativeInt
    average_bytes: NonNegativeFloat = 0.0
    """Of the files whose size is known."""
    splits: dict[Split, NonNegativeInt] = {}
    bytes: NonNegativeInt
    """Of all files whose size is known."""
    described: NonNegativeInt
    """Images whose size and bytes are known; the others are in no histogram."""
    histograms: dict[str, Histogram] = {}
    """``bytes`` (in units of 1,000,000), ``area`` (pixels), ``ratio`` (height by width)."""
    layers: dict[LayerName, LayerStatistics] = {}
    chosen: dict[LayerName, ChosenClasses] = {}
    """Of the classes that were asked for, if any were; never kept."""
