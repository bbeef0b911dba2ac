"""Compaction: where too many segments are hardly used, their used rows move into full ones."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa

from schemas.manifests import SEGMENT_IMAGES
from schemas.schema import Digest
from storage.datasets.asset_ids import AssetIds, asset_ids, positions
from storage.datasets.columns import ANNOTATION_COLUMNS, ASSET_COLUMNS, DESCRIPTION_COLUMNS, fixed_matrix
from storage.datasets.content import Content
from storage.datasets.reading import SegmentReader, Segments, annotation_positions
from storage.datasets.segments import BuiltSegment, assembled
from storage.datasets.selections import Mask, Masks, frozen

HARDLY_USED_AT_MOST: Final = 128


@dataclass(frozen=True)
class Rewritten:
    """Which segments were rewritten, with all their ids, and the new ones with theirs."""

    old: dict[Digest, AssetIds]
    new: dict[Digest, AssetIds]

    def moved(self, masks: Masks) -> dict[Digest, Mask]:
        """Return masks with the rows of the old segments selected in the new ones."""
        result = {segment: mask for segment, mask in masks.items() if segment not in self.old}
        for segment, ids in self.new.items():
            mask = np.zeros(len(ids.prefixes), np.bool_)
            for old in masks.keys() & self.old.keys():
                found = positions(ids, self.old[old].take(masks[old]))
                mask[found[found >= 0]] = True
            result[segment] = frozen(mask)
        return result


async def compacted(content: Content, library: Segments) -> Content:
    """Return the content with the rows of hardly used segments in new, full ones, where they are more than 128.

    A segment is hardly used by the images, or by a layer, when less than half of its rows are selected there. The
    images and each layer are looked at on their own; what is rewritten, and into what, depends on the manifest alone.
    """
    described, bare = await _by_description(content.image_masks(), library)
    for masks in (described, bare):
        rewritten = await _rewritten(masks, library, annotated=False)
        if rewritten:
            images = {split: rewritten.moved(masks) for split, masks in content.images.items()}
            content = replace(content, images=images)
    for name, layer in content.layers.items():
        rewritten = await _rewritten(layer.masks, library, annotated=True)
        if rewritten:
            content = content.with_layer(name, replace(layer, masks=rewritten.moved(layer.masks)))
    return content.tidied()


async def _by_description(masks: Masks, library: Segments) -> tuple[Masks, Masks]:
    readers = await library.segments(masks)
    described = {segment: mask for segment, mask in masks.items() if readers[segment].document.described}
    return described, {segment: mask for segment, mask in masks.items() if segment not in described}


async def _rewritten(masks: Masks, library: Segments, *, annotated: bool) -> Rewritten | None:
    readers = await library.segments(masks)
    hardly = [
        segment
        for segment in sorted(masks)
        if 2 * int(np.count_nonzero(masks[segment])) < readers[segment].document.image_rows
    ]
    if len(hardly) <= HARDLY_USED_AT_MOST:
        return None
    parts = [await used_rows(readers[segment], masks[segment], annotated=annotated) for segment in hardly]
    new: dict[Digest, AssetIds] = {}
    for start in range(0, sum(images.num_rows for images, _ in parts), SEGMENT_IMAGES):
        built, ids = await asyncio.to_thread(full_segment, parts, start)
        new[await library.keep_segment(built)] = ids
    return Rewritten({segment: await readers[segment].assets() for segment in hardly}, new)


async def used_rows(reader: SegmentReader, mask: Mask, *, annotated: bool) -> tuple[pa.Table, pa.Table]:
    """Return the selected images of a segment and, if they are to be ``annotated``, their annotations."""
    rows = np.flatnonzero(mask)
    names = [*ASSET_COLUMNS.names, *(DESCRIPTION_COLUMNS.names if reader.document.described and not annotated else ())]
    images = (await reader.images(names)).take(rows)
    if annotated:
        places, _ = annotation_positions(await reader.starts(), rows)
        return images, (await reader.annotations()).take(places)
    none = pa.array(np.zeros(len(rows), np.int32))
    return images.set_column(1, "annotations", none), ANNOTATION_COLUMNS.empty_table()


def full_segment(parts: Sequence[tuple[pa.Table, pa.Table]], start: int) -> tuple[BuiltSegment, AssetIds]:
    """Return the segment of the images from one place on, in order of their ids, and these."""
    images = pa.concat_tables([images for images, _ in parts]).unify_dictionaries().combine_chunks()
    annotations = pa.concat_tables([annotations for _, annotations in parts]).unify_dictionaries()
    ids = fixed_matrix(images.column("asset").chunk(0))
    order = np.lexsort(np.ascontiguousarray(ids).view(">u8").T[::-1])[start : start + SEGMENT_IMAGES]
    counts = images.column("annotations").to_numpy()
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
    places, counts = annotation_positions(starts, order)
    table = annotations.take(places).set_column(
        0, ANNOTATION_COLUMNS.field("image"), pa.array(np.repeat(np.arange(len(order), dtype=np.int32), counts))
    )
    return assembled(images.take(order), table.combine_chunks()), asset_ids(ids[order])
