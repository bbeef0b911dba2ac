"""The version that an import makes: images gathered into segments, kept one after the other."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.annotations import LayerName
from schemas.manifests import SEGMENT_IMAGES, Predictions
from schemas.schema import Digest
from schemas.splits import Split
from storage.datasets.content import Content, LayerContent
from storage.datasets.inherit import inherited
from storage.datasets.library import Library
from storage.datasets.packing import Packed, joined, packed, part, unpacked
from storage.datasets.rows import ImageRow
from storage.datasets.segments import packed_segment
from workers.importing.inspecting import LayerPack
from workers.importing.said import Rows

WEIGHT_AT_MOST: Final = 400_000
"""A segment is ended after so many annotations, those with many points counted as several, so that an import needs the
same memory whatever its size."""


class Gathered(NamedTuple):
    """One new asset of an import, and where what is said of it stands."""

    image: ImageRow
    split: Split
    layers: Mapping[LayerName, LayerPack]
    """Of its whole batch."""
    position: int
    weight: int

    def is_in(self, layer: LayerName) -> bool:
        """Return whether anything is said of it in a layer."""
        return layer in self.layers and self.layers[layer].places[self.position] >= 0

    def alone(self) -> "Gathered":
        """Return the same without the others of its batch."""
        layers = {
            layer: LayerPack(np.zeros(1, np.int32), part(pack, int(places[self.position])))
            for layer, (places, pack) in self.layers.items()
            if places[self.position] >= 0
        }
        return self._replace(layers=layers, position=0)


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

    async def add(self, assets: Sequence[Gathered]) -> None:
        """Take more assets; keep a segment whenever one is full."""
        for asset in assets:
            self._pending.append(asset)
            self._weight += asset.weight
            if len(self._pending) == SEGMENT_IMAGES or self._weight >= WEIGHT_AT_MOST:
                await self._keep_pending()

    def annotate(self, assets: Sequence[Gathered]) -> None:
        """Take what is said of assets that were added with nothing said."""
        self._late.extend(asset.alone() for asset in assets)

    async def content(self, predictions: Mapping[LayerName, Predictions] | None = None) -> Content:
        """Keep what is left, and return all that was added; ``predictions`` tells where layers come from."""
        if self._pending:
            await self._keep_pending()
        await self._keep_layers(sorted(self._late, key=_asset), first=self._layer)
        origins = predictions or {}
        layers = {name: LayerContent(masks, origins.get(name)) for name, masks in self._layers.items()}
        return Content(images=dict(self._images), layers=layers)

    async def _keep_pending(self) -> None:
        # As the rows of the segment will be, so that the masks speak of the same rows.
        assets = sorted(self._pending, key=_asset)
        self._pending, self._weight = [], 0
        digest = await self._keep(assets, layer=self._layer, described=True)
        for split in {asset.split for asset in assets}:
            self._images[split][digest] = np.array([asset.split is split for asset in assets])
        annotated = np.array([asset.is_in(self._layer) for asset in assets])
        if annotated.any():
            self._layers[self._layer][digest] = annotated
        await self._keep_layers(assets, first=None)

    async def _keep_layers(self, assets: Sequence[Gathered], *, first: LayerName | None) -> None:
        """Keep the annotations of layers alone; those of the layer that is imported if it is ``first``."""
        layers = sorted({layer for asset in assets for layer in asset.layers} - {self._layer})
        for layer in [*([first] if first else []), *layers]:
            inside = [asset for asset in assets if asset.is_in(layer)]
            for start in range(0, len(inside), SEGMENT_IMAGES):
                some = inside[start : start + SEGMENT_IMAGES]
                digest = await self._keep(some, layer=layer, described=False)
                self._layers[layer][digest] = np.ones(len(some), dtype=np.bool_)

    async def _keep(self, assets: Sequence[Gathered], *, layer: LayerName, described: bool) -> Digest:
        images = [asset.image for asset in assets]
        pack, places = await asyncio.to_thread(_joined, assets, layer)
        if self._base is not None and layer == self._layer:
            pack, places = await self._inherited(images, pack, places, self._base), np.arange(len(images))
        build = partial(packed_segment, images, pack, places, described=described)
        return await self._library.keep_segment(await asyncio.to_thread(build))

    async def _inherited(
        self, images: Sequence[ImageRow], pack: Packed, places: NDArray[np.int64], base: Content
    ) -> Packed:
        def rows() -> list[Rows]:
            every = unpacked(pack)
            return [every[place] if place >= 0 else () for place in places.tolist()]

        found = await asyncio.to_thread(rows)
        heirs = await inherited(images, found, base=base, layer=self._layer, library=self._library)
        return await asyncio.to_thread(partial(packed, heirs, assets=[one.asset for one in images], layer=self._layer))


def _asset(asset: Gathered) -> bytes:
    return asset.image.asset


def _joined(assets: Sequence[Gathered], layer: LayerName) -> tuple[Packed, NDArray[np.int64]]:
    """Return the annotations of a layer in all batches that some assets are of, and where each asset is in them."""
    starts: dict[int, int] = {}
    packs: list[Packed] = []
    images = 0
    for layers in {id(asset.layers): asset.layers for asset in assets if layer in asset.layers}.values():
        starts[id(layers)] = images
        packs.append(layers[layer].pack)
        images += len(packs[-1].counts)
    places = [
        starts[id(asset.layers)] + int(asset.layers[layer].places[asset.position]) if asset.is_in(layer) else -1
        for asset in assets
    ]
    return joined(packs), np.array(places, np.int64)
