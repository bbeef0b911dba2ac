"""Statistics of one layer: each segment on its own, then their sum."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.splits import Split
from schemas.statistics import AttributeStatistics, ClassStatistics, LayerStatistics, ValueCount
from storage.datasets.histograms import Counts, binned, histogram
from storage.datasets.matching import areas_of
from storage.datasets.reading import ClassCodes, SegmentReader
from storage.datasets.selections import Mask

SPLITS: Final = tuple(Split)
SHOWN: Final = 100
TABLE_AT_MOST: Final = 1 << 27
"""Pairs of image and class up to which a table of all of them is quicker than sorting."""
NUMBERS: Final = ("area", "width", "height", "quality", "confidence")


class ImageFacts(NamedTuple):
    """What is known of the image rows of a segment."""

    splits: NDArray[np.int8]
    areas: NDArray[np.float64]
    """In pixels; NaN where it is not known."""


class AnnotationFacts(NamedTuple):
    """The columns of a segment's annotations that statistics need."""

    images: int
    image: NDArray[np.int32]
    classes: ClassCodes
    numbers: Any
    """A table of ``NUMBERS``."""
    attributes: Any


class SegmentStatistics(NamedTuple):
    """The share of one segment."""

    annotations: Counter[tuple[str, Split]]
    assets: Counter[tuple[str, Split]]
    areas: Counter[str]
    mask_areas: Counter[str]
    mask_area: float
    without_class: int
    area: float
    positive: int
    bins: dict[str, Counts]
    attributes: Counter[tuple[str, bytes]]


async def annotation_facts(reader: SegmentReader) -> AnnotationFacts:
    """Return the columns of a segment that statistics need."""
    return AnnotationFacts(
        reader.document.image_rows,
        await reader.image_of(),
        await reader.classes(),
        await reader.annotations(NUMBERS),
        (await reader.annotations(["attributes"])).column("attributes"),
    )


def segment_statistics(facts: AnnotationFacts, mask: Mask, images: ImageFacts) -> SegmentStatistics:
    """Return the share of the selected rows of one segment."""
    chosen: Any = slice(None) if mask.all() else mask[facts.image]
    image, codes, names = facts.image[chosen], facts.classes.codes[chosen], facts.classes.names
    area = areas_of(facts.numbers)[chosen]
    known = np.nan_to_num(area) if np.isnan(area).any() else area
    assets, classes = _spread(image, codes, images.splits, names)
    per_image = np.bincount(image, minlength=facts.images)[mask]
    sums = np.bincount(codes + 1, weights=known, minlength=len(names) + 1)
    masks = _mask_areas(facts, chosen, codes)
    return SegmentStatistics(
        annotations=_by_split(codes, images.splits[image], names),
        assets=assets,
        areas=Counter(dict(zip(names, sums[1:].tolist(), strict=True))),
        mask_areas=Counter(dict(zip(names, masks[1:].tolist(), strict=False))),
        mask_area=float(masks.sum()),
        without_class=int(np.count_nonzero(codes < 0)),
        area=float(sums.sum()),
        positive=int(np.count_nonzero(per_image)),
        bins={
            "annotations": binned("annotations", per_image),
            "density": binned("density", per_image),
            "classes": binned("classes", classes[mask]),
            **_number_bins(facts, chosen, images.areas[image]),
        },
        attributes=_attributes(facts.attributes, chosen),
    )


def layer_statistics(parts: Sequence[SegmentStatistics], *, images: int, annotated: int) -> LayerStatistics:
    """Return the sum of the segments."""
    annotations = sum((part.annotations for part in parts), Counter[tuple[str, Split]]())
    assets = sum((part.assets for part in parts), Counter[tuple[str, Split]]())
    positive = sum(part.positive for part in parts)
    bins = {name for part in parts for name in part.bins}
    attributes = sum((part.attributes for part in parts), Counter[tuple[str, bytes]]())
    without_class = sum(part.without_class for part in parts)
    area, count = sum(part.area for part in parts), annotations.total() + without_class
    return LayerStatistics(
        assets=annotated,
        positive=positive,
        negative=annotated - positive,
        not_annotated=images - annotated,
        annotations=count,
        without_class=without_class,
        area=area,
        mask_area=sum(part.mask_area for part in parts),
        annotations_on_average=count / max(1, annotated),
        classes_on_average=assets.total() / max(1, annotated),
        area_on_average=area / max(1, annotated),
        classes=_classes(annotations, assets, parts),
        attributes=_attribute_statistics(attributes),
        attributes_distinct=len({name for name, _ in attributes}),
        histograms={
            name: histogram(name, np.sum([part.bins[name] for part in parts if name in part.bins], axis=0))
            for name in sorted(bins)
        },
    )


def _spread(
    image: NDArray[np.int32], codes: NDArray[np.int32], splits: NDArray[np.int8], names: Sequence[str]
) -> tuple[Counter[tuple[str, Split]], NDArray[np.int64]]:
    """Return how many images have each class, by split, and how many classes each image has."""
    good = codes >= 0
    keys = image[good].astype(np.int64) * len(names) + codes[good]
    if len(splits) * len(names) > TABLE_AT_MOST:
        of_image, of_class = np.divmod(np.unique(keys), max(1, len(names)))
        return _by_split(of_class, splits[of_image], names), np.bincount(of_image, minlength=len(splits))
    table = np.zeros((len(splits), len(names)), np.uint8)
    table.ravel()[keys] = 1
    counts = np.zeros((len(names), len(SPLITS)), np.int64)
    for split in np.unique(splits):
        # A whole table is summed without a copy, as most versions have one split in a segment.
        rows = table if (splits == split).all() else table[splits == split]
        counts[:, split] = rows.sum(axis=0, dtype=np.int32)
    return _named(counts, names), table.sum(axis=1, dtype=np.int32).astype(np.int64)


def _mask_areas(facts: AnnotationFacts, chosen: Any, codes: NDArray[np.int32]) -> NDArray[np.float64]:  # noqa: ANN401 - a slice or a mask
    """Return the sum of the areas that annotations have of their own: of those without class, then class by class."""
    own = facts.numbers.column("area")
    places = len(facts.classes.names) + 1
    if own.null_count == len(own):
        return np.zeros(places)
    known = np.nan_to_num(own.to_numpy()[chosen])
    return np.bincount(codes + 1, weights=known, minlength=places).astype(np.float64, copy=False)


def _by_split(codes: NDArray[np.integer], splits: NDArray[np.int8], names: Sequence[str]) -> Counter[tuple[str, Split]]:
    # Shifted by one, so that annotations without class have a place: the first, which is left out.
    keys = (codes + 1) * np.int32(len(SPLITS)) + splits
    counts = np.bincount(keys, minlength=(len(names) + 1) * len(SPLITS)).reshape(-1, len(SPLITS))[1:]
    return _named(counts, names)


def _named(counts: Counts, names: Sequence[str]) -> Counter[tuple[str, Split]]:
    return Counter(
        {
            (name, split): int(counts[row, column])
            for row, name in enumerate(names)
            for column, split in enumerate(SPLITS)
            if counts[row, column]
        }
    )


def _number_bins(facts: AnnotationFacts, chosen: Any, areas: NDArray[np.float64]) -> dict[str, Counts]:  # noqa: ANN401 - a slice or a mask
    """Return the histograms of annotations; one whose column is empty is left out."""
    bins: dict[str, Counts] = {}
    for name, column in (("mask_area", "area"), ("quality", "quality"), ("confidence", "confidence")):
        values = facts.numbers.column(column)
        if values.null_count < len(values):
            bins[name] = binned(name, values.to_numpy()[chosen])
    width = facts.numbers.column("width")
    if width.null_count < len(width):
        box = (width.to_numpy() * facts.numbers.column("height").to_numpy())[chosen]
        bins["box_area"] = binned("box_area", box)
        bins["box_area_ratio"] = binned("box_area_ratio", box / np.where(areas > 0, areas, np.nan))
    return bins


def _attributes(column: Any, chosen: Any) -> Counter[tuple[str, bytes]]:  # noqa: ANN401 - pyarrow has no types
    if not pc.sum(pc.binary_length(column)).as_py():
        return Counter()
    encoded = column.combine_chunks().dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    times = np.bincount(encoded.indices.to_numpy(zero_copy_only=False)[chosen], minlength=len(texts)).tolist()
    found: Counter[tuple[str, bytes]] = Counter()
    for text, count in zip(texts, times, strict=True):
        for name, value in (orjson.loads(text) if text and count else {}).items():
            found[name, orjson.dumps(value, option=orjson.OPT_SORT_KEYS)] += count
    return found


def _classes(
    annotations: Counter[tuple[str, Split]], assets: Counter[tuple[str, Split]], parts: Sequence[SegmentStatistics]
) -> tuple[ClassStatistics, ...]:
    areas = sum((part.areas for part in parts), Counter[str]())
    masks = sum((part.mask_areas for part in parts), Counter[str]())
    names = sorted({name for name, _ in annotations})
    return tuple(
        ClassStatistics(
            class_name=name,
            annotations=sum(annotations[name, split] for split in SPLITS),
            assets=sum(assets[name, split] for split in SPLITS),
            area=areas[name],
            mask_area=masks[name],
            annotations_by_split={split: annotations[name, split] for split in SPLITS if annotations[name, split]},
            assets_by_split={split: assets[name, split] for split in SPLITS if assets[name, split]},
        )
        for name in names
    )


def _attribute_statistics(counts: Counter[tuple[str, bytes]]) -> tuple[AttributeStatistics, ...]:
    by_name: dict[str, Counter[bytes]] = {}
    for (name, value), count in counts.items():
        by_name.setdefault(name, Counter())[value] = count
    order = sorted(by_name, key=lambda name: (-by_name[name].total(), name))[:SHOWN]
    return tuple(_attribute(name, by_name[name]) for name in order)


def _attribute(name: str, values: Counter[bytes]) -> AttributeStatistics:
    shown = sorted(values.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]
    return AttributeStatistics(
        name=name,
        count=values.total(),
        distinct=len(values),
        values=tuple(ValueCount(value=orjson.loads(value), count=count) for value, count in shown),
    )
