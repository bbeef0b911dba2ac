"""Renaming: annotations under other class names, or without those of a class; only rows that have one are rewritten."""

import asyncio
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.manifests import Predictions
from schemas.schema import Digest
from storage.datasets.columns import ANNOTATION_COLUMNS, ASSET_COLUMNS
from storage.datasets.content import Content, LayerContent
from storage.datasets.reading import SegmentReader, Segments, annotation_positions
from storage.datasets.segments import BuiltSegment, assembled
from storage.datasets.selections import Mask, all_rows, frozen

Names = Mapping[str, str | None]
"""The name that a class gets; None: its annotations go. What is not named stays as it is."""


async def class_counts(content: Content, *, library: Segments) -> Counter[str]:
    """Return how many annotations each class has, over all layers."""
    counts: Counter[str] = Counter()
    for layer in content.layers.values():
        for segment, reader in (await library.segments(layer.masks)).items():
            classes, of_image = await reader.classes(), await reader.image_of()
            # One more place at the end, for those that have no class.
            here = np.bincount(
                classes.codes[layer.masks[segment][of_image]] % (len(classes.names) + 1),
                minlength=len(classes.names) + 1,
            )
            counts.update({name: int(here[code]) for code, name in enumerate(classes.names) if here[code]})
    return counts


async def renamed(content: Content, names: Names, *, library: Segments) -> Content:
    """Return the content with classes renamed in every layer; ids stay, and so do assets, as annotated with less."""
    for name, layer in content.layers.items():
        masks: dict[Digest, Mask] = {}
        for segment, reader in (await library.segments(layer.masks)).items():
            masks |= await _without_old_names(segment, layer.masks[segment], names, reader=reader, library=library)
        content = content.with_layer(name, LayerContent(masks, _predicting(layer.predictions, names)))
    return content.tidied()


async def _without_old_names(
    segment: Digest, mask: Mask, names: Names, *, reader: SegmentReader, library: Segments
) -> dict[Digest, Mask]:
    """Return the mask of what stays as it is, and that of a new segment for the rows that change."""
    classes, of_image = await reader.classes(), await reader.image_of()
    changes = np.array([*(names.get(name, name) != name for name in classes.names), False])
    rows = np.unique(of_image[changes[classes.codes] & mask[of_image]])
    if not len(rows):
        return {segment: mask}
    images, annotations, starts = await reader.images(["asset"]), await reader.annotations(), await reader.starts()
    built = await asyncio.to_thread(_rewritten, images, annotations, rows, starts, names)
    rest = mask.copy()
    rest[rows] = False
    return {segment: frozen(rest), await library.keep_segment(built): all_rows(len(rows))}


def _rewritten(
    images: pa.Table, annotations: pa.Table, rows: NDArray[np.int32], starts: NDArray[np.int64], names: Names
) -> BuiltSegment:
    places, counts = annotation_positions(starts, rows)
    table = annotations.take(places).combine_chunks()
    of_image = np.repeat(np.arange(len(rows), dtype=np.int32), counts)
    column = table.column("class").chunk(0)
    new = [names.get(name, name) for name in column.dictionary.to_pylist()]
    goes = np.array([*(name is None for name in new), False])
    stays = ~goes[column.indices.fill_null(len(new)).to_numpy(zero_copy_only=False)]
    given = pa.array(new, pa.string()).take(column.indices).dictionary_encode()
    table = table.set_column(table.column_names.index("class"), ANNOTATION_COLUMNS.field("class"), given)
    table = table.set_column(0, ANNOTATION_COLUMNS.field("image"), pa.array(of_image)).filter(pa.array(stays))
    left = np.bincount(of_image[stays], minlength=len(rows)).astype(np.int32)
    kept = pa.table([images.column("asset").take(pa.array(rows)), pa.array(left)], schema=ASSET_COLUMNS)
    return assembled(kept.combine_chunks(), table.unify_dictionaries().combine_chunks())


def _predicting(predictions: Predictions | None, names: Names) -> Predictions | None:
    if predictions is None:
        return None
    given = (names.get(name, name) for name in predictions.classes)
    classes = tuple(dict.fromkeys(name for name in given if name is not None))
    return predictions.model_copy(update={"classes": classes})
