"""Looking up the annotations of assets in a layer."""

import asyncio

import numpy as np

from storage.datasets.asset_ids import AssetIds, positions
from storage.datasets.decoding import annotation_rows, image_rows
from storage.datasets.reading import Segments, annotation_positions
from storage.datasets.rows import AnnotationRow, ImageRow
from storage.datasets.selections import Masks


async def annotations_of(
    assets: AssetIds, masks: Masks, *, library: Segments
) -> list[tuple[AnnotationRow, ...] | None]:
    """Return the annotations of each asset in a layer of these masks; None for one that it does not annotate."""
    found: list[tuple[AnnotationRow, ...] | None] = [None] * len(assets.prefixes)
    for digest, reader in (await library.segments(masks)).items():
        places = positions(await reader.assets(), assets)
        here = np.flatnonzero((places >= 0) & masks[digest][places])
        if not len(here):
            continue
        where, counts = annotation_positions(await reader.starts(), places[here])
        decoded: list[AnnotationRow] = []
        if len(where):
            decoded = await asyncio.to_thread(annotation_rows, await reader.annotations_at(where))
        ends = np.cumsum(counts).tolist()
        for position, start, end in zip(here.tolist(), [0, *ends], ends, strict=False):
            found[position] = tuple(decoded[start:end])
    return found


async def images_of(assets: AssetIds, masks: Masks, *, library: Segments) -> list[ImageRow | None]:
    """Return the image row of each asset in these masks; None for one that they have not."""
    found: list[ImageRow | None] = [None] * len(assets.prefixes)
    for digest, reader in (await library.segments(masks)).items():
        places = positions(await reader.assets(), assets)
        here = np.flatnonzero((places >= 0) & masks[digest][places])
        if len(here):
            rows = await asyncio.to_thread(image_rows, (await reader.images()).take(places[here]))
            for position, row in zip(here.tolist(), rows, strict=True):
                found[position] = row
    return found
