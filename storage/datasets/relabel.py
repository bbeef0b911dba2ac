"""Relabel: other classes for the annotations of a layer; only images that it touches get a new segment."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.annotations import LayerName
from schemas.manifests import SEGMENT_IMAGES, Predictions
from schemas.schema import Digest
from storage.datasets.columns import NAMES
from storage.datasets.compaction import full_segment, used_rows
from storage.datasets.content import Content
from storage.datasets.reading import ClassCodes, SegmentReader, Segments
from storage.datasets.selections import Mask, all_rows, frozen

DROPPED = ""


@dataclass(frozen=True)
class Relabeled:
    """What a relabeling came to."""

    content: Content
    annotations: Mapping[tuple[str, str], int]
    """How many annotations went from one class to another; to the empty name: were dropped."""
    images: int
    """How many images were touched."""


class _Touched(NamedTuple):
    """The rows of one segment that change, and the annotations in it that go from one class to another."""

    rows: Mask
    counts: Counter[tuple[str, str]]


async def relabeled(content: Content, classes: Mapping[str, str], *, layer: LayerName, library: Segments) -> Relabeled:
    """Return the content with the classes of a layer replaced, all at once; an empty name drops annotations.

    Annotations keep their ids, and images their place in the layer: one that loses all its annotations is annotated
    as empty. What a layer of predictions can predict goes by its new name too.
    """
    changes = {old: new for old, new in classes.items() if old != new}
    masks = dict(content.layer_masks(layer))
    readers = await library.segments(masks)
    counts: Counter[tuple[str, str]] = Counter()
    parts: list[tuple[pa.Table, pa.Table]] = []
    for segment, reader in readers.items():
        touched = await asyncio.to_thread(
            _touched, await reader.classes(), await reader.image_of(), masks[segment], changes
        )
        if touched.rows.any():
            counts += touched.counts
            parts.append(await _changed_rows(reader, touched.rows, changes))
            masks[segment] = frozen(masks[segment] & ~touched.rows)
    masks |= await _kept(parts, library)
    if layer not in content.layers:
        return Relabeled(content, counts, 0)
    predictions = _renamed(content.layers[layer].predictions, changes)
    result = content.with_layer(layer, replace(content.layers[layer], masks=masks, predictions=predictions))
    return Relabeled(result.tidied(), counts, sum(images.num_rows for images, _ in parts))


def _touched(classes: ClassCodes, image: NDArray[np.int32], mask: Mask, changes: Mapping[str, str]) -> _Touched:
    rows = np.zeros(len(mask), np.bool_)
    # One place more at the end: -1, an annotation without class, never changes.
    changes_code = np.array([*(name in changes for name in classes.names), False], np.bool_)
    if not changes_code.any():
        return _Touched(rows, Counter())
    meant = np.flatnonzero(changes_code[classes.codes] & mask[image])
    rows[image[meant]] = True
    times = np.bincount(classes.codes[meant], minlength=len(classes.names)).tolist()
    counts = {(name, changes[name]): count for name, count in zip(classes.names, times, strict=True) if count}
    return _Touched(rows, Counter(counts))


async def _changed_rows(reader: SegmentReader, rows: Mask, changes: Mapping[str, str]) -> tuple[pa.Table, pa.Table]:
    images, annotations = await used_rows(reader, rows, annotated=True)
    return await asyncio.to_thread(_with_classes, images, annotations, changes)


def _with_classes(images: pa.Table, annotations: pa.Table, changes: Mapping[str, str]) -> tuple[pa.Table, pa.Table]:
    """Return images and annotations under other classes, those left out whose class is dropped."""
    column = annotations.column("class").combine_chunks()
    names = column.dictionary.to_pylist()
    after = [changes.get(name, name) for name in names]
    codes = column.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    kept = np.array([*(name != DROPPED for name in after), True], np.bool_)[codes]
    distinct = {name: place for place, name in enumerate(dict.fromkeys(name for name in after if name != DROPPED))}
    place = np.array([*(distinct.get(name, 0) for name in after), 0], np.int32)
    indices = pa.array(place[codes][kept], mask=(codes == len(names))[kept])
    renamed = pa.DictionaryArray.from_arrays(indices, pa.array(list(distinct), pa.string())).cast(NAMES)
    table, position = annotations.filter(pa.array(kept)), annotations.column_names.index("class")
    table = table.set_column(position, annotations.schema.field("class"), renamed)
    owner = np.repeat(np.arange(images.num_rows), images.column("annotations").to_numpy())
    counts = np.bincount(owner[kept], minlength=images.num_rows).astype(np.int32)
    return images.set_column(1, images.schema.field("annotations"), pa.array(counts)), table


async def _kept(parts: list[tuple[pa.Table, pa.Table]], library: Segments) -> dict[Digest, Mask]:
    masks: dict[Digest, Mask] = {}
    for start in range(0, sum(images.num_rows for images, _ in parts), SEGMENT_IMAGES):
        built, ids = await asyncio.to_thread(full_segment, parts, start)
        masks[await library.keep_segment(built)] = all_rows(len(ids.prefixes))
    return masks


def _renamed(predictions: Predictions | None, changes: Mapping[str, str]) -> Predictions | None:
    if predictions is None:
        return None
    names = dict.fromkeys(changes.get(name, name) for name in predictions.classes)
    return predictions.model_copy(update={"classes": tuple(name for name in names if name != DROPPED)})
