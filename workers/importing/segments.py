"""The version that an import makes: rows gathered into segments, kept one after the other."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

import numpy as np

from schemas.annotations import ATTRIBUTES, LayerName
from schemas.manifests import SEGMENT_IMAGES, Predictions
from schemas.schema import Digest
from schemas.splits import Split
from storage.datasets.content import Content, LayerContent
from storage.datasets.inherit import inherited
from storage.datasets.library import Library
from storage.datasets.rows import AnnotationRow, ImageRow
from storage.datasets.segments import BuiltSegment, build_segment

WEIGHT_AT_MOST: Final = 400_000
"""A segment is ended after so many annotations, those with many points counted as several, so that an import needs the
same memory whatever its size."""
POINTS_AS_ONE: Final = 8

Rows = tuple[AnnotationRow, ...]


class Gathered(NamedTuple):
    """One new asset of an import."""

    image: ImageRow
    split: Split
    annotations: Rows | None
    """None: not annotated."""
    attributes: str
    """Those of the whole image, as canonical JSON text."""
    layers: Mapping[LayerName, Rows] = {}
    """Annotations of other layers, such as predictions."""

    @property
    def is_described(self) -> bool:
        """Whether anything is said of it."""
        return self.annotations is not None or bool(self.attributes or self.layers)


class Segments:
    """Keeps what it is given as segments; what they are depends on the order and content of what is given alone."""

    def __init__(self, *, layer: LayerName, base: Content | None, library: Library) -> None:
        self._layer = layer
        self._base = base
        self._library = library
        self._pending: list[Gathered] = []
        self._late: list[Gathered] = []
        self._weight = 0
        self._images: dict[Split, dict[Digest, np.ndarray]] = defaultdict(dict)
        self._layers: dict[LayerName, dict[Digest, np.ndarray]] = defaultdict(dict)

    async def add(self, asset: Gathered) -> None:
        """Take one more asset; keep a segment when it is full."""
        self._pending.append(asset)
        self._weight += sum(map(_weight, chain(asset.annotations or (), *asset.layers.values())))
        if len(self._pending) == SEGMENT_IMAGES or self._weight >= WEIGHT_AT_MOST:
            await self._keep_pending()

    def annotate(self, asset: Gathered) -> None:
        """Take what is said of an asset that was added with nothing said."""
        self._late.append(asset)

    async def content(self, predictions: Mapping[LayerName, Predictions] | None = None) -> Content:
        """Keep what is left, and return all that was added; ``predictions`` tells where layers come from."""
        if self._pending:
            await self._keep_pending()
        annotated = [(asset.image, asset.annotations) for asset in self._late if asset.annotations is not None]
        await self._keep_alone(self._layer, annotated)
        await self._keep_others(self._late)
        origins = predictions or {}
        layers = {name: LayerContent(masks, origins.get(name)) for name, masks in self._layers.items()}
        return Content(images=dict(self._images), layers=layers)

    async def _keep_pending(self) -> None:
        # As the rows of the segment will be, so that the masks speak of the same rows.
        assets = sorted(self._pending, key=lambda asset: asset.image.asset)
        self._pending, self._weight = [], 0
        digest = await self._keep(
            [asset.image for asset in assets],
            [asset.annotations or () for asset in assets],
            layer=self._layer,
            described=True,
        )
        for split in {asset.split for asset in assets}:
            self._images[split][digest] = np.array([asset.split is split for asset in assets])
        annotated = np.array([asset.annotations is not None for asset in assets])
        if annotated.any():
            self._layers[self._layer][digest] = annotated
        await self._keep_others(assets)

    async def _keep_others(self, assets: Sequence[Gathered]) -> None:
        described = [asset for asset in assets if asset.attributes]
        rows = [(asset.image, (AnnotationRow(attributes=asset.attributes),)) for asset in described]
        await self._keep_alone(ATTRIBUTES, rows)
        for layer in sorted({layer for asset in assets for layer in asset.layers}):
            found = [(asset.image, asset.layers[layer]) for asset in assets if layer in asset.layers]
            await self._keep_alone(layer, found)

    async def _keep_alone(self, layer: LayerName, rows: Sequence[tuple[ImageRow, Rows]]) -> None:
        for start in range(0, len(rows), SEGMENT_IMAGES):
            some = rows[start : start + SEGMENT_IMAGES]
            digest = await self._keep(
                [image for image, _ in some], [annotations for _, annotations in some], layer=layer, described=False
            )
            self._layers[layer][digest] = np.ones(len(some), dtype=np.bool_)

    async def _keep(
        self, images: list[ImageRow], annotations: list[Rows], *, layer: LayerName, described: bool
    ) -> Digest:
        rows = annotations
        if self._base is not None and layer == self._layer:
            rows = await inherited(images, annotations, base=self._base, layer=layer, library=self._library)

        def build() -> BuiltSegment:
            return build_segment(images, rows, layer=layer, described=described)

        return await self._library.keep_segment(await asyncio.to_thread(build))


def _weight(row: AnnotationRow) -> int:
    if not row.polygons and row.mask is None:
        return 1
    letters = 0 if row.mask is None else len(row.mask.counts)
    return 1 + (sum(map(len, row.polygons)) + letters // POINTS_AS_ONE) // POINTS_AS_ONE
