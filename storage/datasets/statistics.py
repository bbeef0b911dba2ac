"""Statistics: derived counts and histograms of a content."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.annotations import LayerName
from schemas.schema import Digest, Id, derived_id
from schemas.splits import Split
from schemas.statistics import ChosenClasses, LayerStatistics, VersionStatistics
from storage.datasets.content import Content
from storage.datasets.filter import matching
from storage.datasets.histograms import Counts, binned, histogram
from storage.datasets.layer_statistics import (
    ImageFacts,
    SegmentStatistics,
    annotation_facts,
    layer_statistics,
    segment_statistics,
)
from storage.datasets.matching import Wanted
from storage.datasets.reading import ClassCodes, Segments
from storage.datasets.restriction import Ids
from storage.datasets.selections import Mask, count, difference
from storage.datasets.space import Space

COMPUTATION: Final = 2
"""The number of this computation; a change of what comes out raises it, so that nothing old is found under it."""
SPLITS: Final = tuple(Split)
MEGABYTE: Final = 1_000_000
CLASSES_AT_MOST: Final = 1_000
Classes = Mapping[LayerName, tuple[str, ...]]
MEASURES: Final = ("width", "height", "size")


def statistics_id(digest: Digest) -> Id:
    """Return the id under which the statistics of a version are remembered, by the version's digest."""
    return derived_id("statistics", digest, COMPUTATION)


def classes_in(statistics: VersionStatistics) -> Classes:
    """Return the classes in each layer, by name."""
    return {name: tuple(one.class_name for one in layer.classes) for name, layer in statistics.layers.items()}


def few_classes(statistics: VersionStatistics) -> dict[LayerName, tuple[str, ...]] | None:
    """Return the same if a document may hold it; None if these are too many."""
    found = classes_in(statistics)
    return dict(found) if sum(map(len, found.values())) <= CLASSES_AT_MOST else None


async def statistics_of(content: Content, *, ids: Ids, library: Segments) -> VersionStatistics:
    """Return the statistics of a content, computed; ``Library.statistics`` keeps them."""
    facts = _splits(content)
    bins: dict[str, Counts] = {}
    size = described = 0
    for segment, mask in content.image_masks().items():
        reader = (await library.segments([segment]))[segment]
        if reader.document.described:
            table = await reader.images(MEASURES)
            width, height, sizes = (table.column(name).to_numpy() for name in MEASURES)
            facts[segment] = facts[segment]._replace(areas=width.astype(np.float64) * height)
            counts = await asyncio.to_thread(_image_bins, width[mask], height[mask], sizes[mask])
            bins = {name: bins.get(name, 0) + counts[name] for name in counts}
            size += int(sizes[mask].sum(dtype=np.int64))
            described += int(np.count_nonzero(mask))
    layers = {name: await _layer(content, name, facts, ids=ids, library=library) for name in content.layers}
    return VersionStatistics(
        images=content.image_count(),
        splits={split: count(masks) for split, masks in content.images.items()},
        bytes=size,
        average_bytes=size / max(1, described),
        described=described,
        histograms={name: histogram(name, counts) for name, counts in bins.items()},
        layers=layers,
    )


async def chosen_classes(
    content: Content, classes: Sequence[str], *, ids: Ids, library: Segments
) -> dict[LayerName, ChosenClasses]:
    """Return for each layer how many images have any of some classes in it, and how many have none."""
    return {name: await _chosen(content, name, classes, ids=ids, library=library) for name in content.layers}


async def _chosen(
    content: Content, name: LayerName, classes: Sequence[str], *, ids: Ids, library: Segments
) -> ChosenClasses:
    masks = content.layers[name].masks
    found = await matching(content, Wanted(layers=(name,), include_classes=classes), ids=ids, library=library)
    annotations = 0
    for segment, reader in (await library.segments(masks)).items():
        codes, image = await reader.classes(), await reader.image_of()
        annotations += await asyncio.to_thread(_of_classes, codes, image, masks[segment], classes)
    positive, annotated = count(found), count(masks)
    return ChosenClasses(
        positive=positive,
        negative=annotated - positive,
        not_annotated=content.image_count() - annotated,
        annotations=annotations,
    )


def _of_classes(codes: ClassCodes, image: NDArray[np.int32], mask: Mask, classes: Sequence[str]) -> int:
    wanted = np.array([*(name in classes for name in codes.names), False], np.bool_)
    return int(np.count_nonzero(wanted[codes.codes] & mask[image]))


def _splits(content: Content) -> dict[Digest, ImageFacts]:
    """Return the split of each row of each image segment."""
    facts: dict[Digest, ImageFacts] = {}
    for segment, mask in content.image_masks().items():
        codes = np.full(len(mask), SPLITS.index(Split.NONE), np.int8)
        for split, masks in content.images.items():
            if segment in masks:
                codes[masks[segment]] = SPLITS.index(split)
        facts[segment] = ImageFacts(codes, np.full(len(mask), np.nan))
    return facts


def _image_bins(width: Any, height: Any, size: Any) -> dict[str, Counts]:  # noqa: ANN401 - columns of any number
    known = (width > 0) & (height > 0)
    width, height = width[known].astype(np.float64), height[known].astype(np.float64)
    return {
        "bytes": binned("bytes", size / MEGABYTE),
        "area": binned("area", width * height),
        "ratio": binned("ratio", height / width),
    }


async def _layer(
    content: Content, name: LayerName, facts: dict[Digest, ImageFacts], *, ids: Ids, library: Segments
) -> LayerStatistics:
    masks = content.layers[name].masks
    strays = {segment: mask for segment, mask in difference(masks, content.image_masks()).items() if mask.any()}
    if strays:
        facts = await asyncio.to_thread(_facts_by_asset, content, name, facts, ids)
    readers = await library.segments(masks)
    loaded = [(await annotation_facts(readers[segment]), masks[segment], facts[segment]) for segment in masks]
    parts: list[SegmentStatistics] = await asyncio.gather(
        *(asyncio.to_thread(segment_statistics, *one) for one in loaded)
    )
    return layer_statistics(parts, images=content.image_count(), annotated=count(masks))


def _facts_by_asset(
    content: Content, name: LayerName, facts: dict[Digest, ImageFacts], ids: Ids
) -> dict[Digest, ImageFacts]:
    """Return split and area for the rows of a layer whose images are in other segments."""
    space = Space.of(content, ids=ids)
    codes = np.full(space.assets + 1, SPLITS.index(Split.NONE), np.int8)
    areas = np.full(space.assets + 1, np.nan)
    for segment, mask in content.image_masks().items():
        start = space.starts[segment]
        assets = space.asset[start : start + len(mask)][mask]
        codes[assets] = facts[segment].splits[mask]
        areas[assets] = facts[segment].areas[mask]
    result: dict[Digest, ImageFacts] = {}
    for segment, mask in content.layers[name].masks.items():
        assets = space.asset[space.starts[segment] : space.starts[segment] + len(mask)]
        result[segment] = ImageFacts(codes[assets], areas[assets])
    return result
