"""The content of a version in memory: which rows of which segments it is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from schemas.annotations import LayerName
from schemas.manifests import Predictions
from schemas.schema import Digest
from schemas.splits import Split
from storage.datasets.selections import Mask, Masks, all_rows, count, tidied, union


@dataclass(frozen=True)
class LayerContent:
    """The rows that are annotated in one layer; a row without annotations is annotated as empty."""

    masks: Masks = field(default_factory=dict)
    predictions: Predictions | None = None


@dataclass(frozen=True)
class Content:
    """Images by split, and layers by name, each as masks over the image rows of segments.

    Always true of a content that is kept: an asset is once in the images and at most once in each
    layer, and a layer has no asset that the images lack.
    """

    images: Mapping[Split, Masks] = field(default_factory=dict)
    layers: Mapping[LayerName, LayerContent] = field(default_factory=dict)

    def image_masks(self, *splits: Split) -> dict[Digest, Mask]:
        """Return the image rows of some splits; of all when none is named."""
        return union(*(masks for split, masks in self.images.items() if not splits or split in splits))

    def layer_masks(self, layer: LayerName) -> Masks:
        """Return the rows that a layer annotates; none if there is no such layer."""
        return self.layers[layer].masks if layer in self.layers else {}

    def image_count(self, *splits: Split) -> int:
        """Return how many images there are in some splits; in all when none is named."""
        return sum(count(masks) for split, masks in self.images.items() if not splits or split in splits)

    def segments(self) -> list[Digest]:
        """Return the digests of all segments that are meant, sorted."""
        roles = [*self.images.values(), *(layer.masks for layer in self.layers.values())]
        return sorted({segment for masks in roles for segment in masks})

    def with_layer(self, name: LayerName, layer: LayerContent) -> "Content":
        """Return this content with a layer added or replaced."""
        return replace(self, layers={**self.layers, name: layer})

    def with_split(self, split: Split) -> "Content":
        """Return this content with all its images put to one use."""
        return replace(self, images={split: self.image_masks()})

    def tidied(self) -> "Content":
        """Return this content in the one order of its manifest, without entries that select nothing."""
        images = {split: tidied(self.images[split]) for split in sorted(self.images)}
        layers = {
            name: replace(self.layers[name], masks=tidied(self.layers[name].masks)) for name in sorted(self.layers)
        }
        return Content(
            images={split: masks for split, masks in images.items() if masks},
            layers={name: layer for name, layer in layers.items() if layer.masks},
        )


def whole_segment(segment: Digest, *, rows: int, layer: LayerName | None = None, split: Split = Split.NONE) -> Content:
    """Return the content of one whole segment, its annotations (if a layer is named) on every row of it."""
    masks = {segment: all_rows(rows)}
    layers = {} if layer is None else {layer: LayerContent(masks)}
    return Content(images={split: masks}, layers=layers)
