"""Bare segments: annotations without the descriptions of their images, kept one segment after the other."""

import asyncio
from typing import Final

from schemas.annotations import LayerName
from schemas.manifests import SEGMENT_IMAGES
from schemas.schema import Digest
from storage.datasets.reading import Segments
from storage.datasets.rows import AnnotationRow, ImageRow
from storage.datasets.segments import build_segment
from storage.datasets.selections import Mask, all_rows

ANNOTATIONS_AT_MOST: Final = 100_000
"""A new segment is ended after so many, so that they need the same memory however many there are."""

Rows = tuple[AnnotationRow, ...]


class BareSegments:
    """Keeps the annotations of assets that come in order of their ids as segments without images."""

    def __init__(self, layer: LayerName, library: Segments) -> None:
        self._layer = layer
        self._library = library
        self._assets: list[ImageRow] = []
        self._rows: list[Rows] = []
        self._count = 0
        self._masks: dict[Digest, Mask] = {}

    async def add(self, asset: bytes, rows: Rows) -> None:
        """Take one more asset; keep a segment when it is full."""
        self._assets.append(ImageRow(asset))
        self._rows.append(rows)
        self._count += len(rows)
        if len(self._assets) == SEGMENT_IMAGES or self._count >= ANNOTATIONS_AT_MOST:
            await self._keep()

    async def finish(self) -> dict[Digest, Mask]:
        """Return all that was added."""
        if self._assets:
            await self._keep()
        return self._masks

    async def _keep(self) -> None:
        built = await asyncio.to_thread(build_segment, self._assets, self._rows, layer=self._layer, described=False)
        self._masks[await self._library.keep_segment(built)] = all_rows(len(self._assets))
        self._assets, self._rows, self._count = [], [], 0
