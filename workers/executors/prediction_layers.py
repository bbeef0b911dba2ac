"""A layer of predictions: what an executor found, kept as segments and named after the model."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from schemas.annotations import LayerName
from schemas.errors import Invalid
from schemas.manifests import SEGMENT_IMAGES, Predictions
from schemas.schema import Digest
from storage.datasets.content import LayerContent
from storage.datasets.library import Library
from storage.datasets.rows import AnnotationRow, ImageRow
from storage.datasets.segments import build_segment
from storage.datasets.selections import Mask, all_rows
from workers.executors.configured import Configured
from workers.executors.models import FoundStage

RESERVED: Final = frozenset({"ground_truth", "attributes"})


def layer_name(named: LayerName | None, found: FoundStage) -> LayerName:
    """Return the name of a layer of predictions, ``<model>@<stage>`` unless it is named."""
    name = named or f"{found.model.name}@{found.stage.name}"
    if name in RESERVED:
        raise Invalid(f"/layer: the layer {name!r} is not for predictions.", step="Leave the layer out, or rename it.")
    return name


def predictions_of(found: FoundStage, settings: Configured) -> Predictions:
    """Return where a layer of predictions comes from."""
    return Predictions(
        model=found.stage.digest,
        stage=found.stage.name,
        configuration=settings.digest,
        classes=found.model.classes,
    )


async def keep_predictions(
    assets: Iterable[bytes],
    annotations: Mapping[bytes, Sequence[AnnotationRow]],
    *,
    layer: LayerName,
    predictions: Predictions,
    library: Library,
) -> LayerContent:
    """Keep segments with every asset, those on which nothing was found as empty, and return them as a layer."""
    ordered = sorted(assets)
    masks: dict[Digest, Mask] = {}
    for start in range(0, len(ordered), SEGMENT_IMAGES):
        some = ordered[start : start + SEGMENT_IMAGES]
        built = await asyncio.to_thread(
            build_segment,
            [ImageRow(asset) for asset in some],
            [annotations.get(asset, ()) for asset in some],
            layer=layer,
            described=False,
        )
        masks[await library.keep_segment(built)] = all_rows(len(some))
    return LayerContent(masks, predictions)
