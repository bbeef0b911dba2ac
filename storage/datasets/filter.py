"""Filter: the assets that meet conditions, whole."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from schemas.algebra_parameters import Conditions
from schemas.annotations import ATTRIBUTES, LayerName
from schemas.schema import Digest
from schemas.splits import Split
from storage.datasets.asset_ids import AssetIds, among
from storage.datasets.content import Content
from storage.datasets.matching import (
    AnnotationColumns,
    Wanted,
    annotation_columns_for,
    rows_beside_attributes,
    rows_of_classes,
    rows_with,
    rows_with_attributes,
)
from storage.datasets.reading import Segments
from storage.datasets.restriction import Ids, image_rows_of, restricted
from storage.datasets.selections import Mask, Masks, difference, frozen, intersection, union


async def filtered(
    content: Content, conditions: Conditions, *, ids: Ids, library: Segments, marked: AssetIds | None = None
) -> Content:
    """Return the content with those assets alone that meet the conditions; their annotations all stay.

    Kept is an asset that has an annotation in the named layers, in any of them, which meets classes (any of those
    included), area, confidence, quality and attributes together, and none of an excluded class in any of them; that
    is in one of the splits; and that is among ``marked``, the assets with the marks asked for. Attributes may also be
    those of the whole image. An annotation without confidence or quality, or without an area of its own or of its box,
    meets no bounds on it.
    """
    wanted, splits = Wanted.of(conditions), conditions.splits
    keep = await matching(content, wanted, splits=splits, ids=ids, library=library, marked=marked)
    return await asyncio.to_thread(restricted, content, keep, ids=ids)


async def matching(
    content: Content,
    wanted: Wanted,
    *,
    splits: Sequence[Split] = (),
    ids: Ids,
    library: Segments,
    marked: AssetIds | None = None,
) -> Masks:
    """Return the image rows of the assets with what is wanted, in some splits (all) and among ``marked`` (all)."""
    looked_at = dict.fromkeys((*wanted.layers, ATTRIBUTES) if wanted.attributes else wanted.layers)
    segments = [segment for name in looked_at for segment in content.layer_masks(name)]
    readers = await library.segments(segments if wanted.looks_at_annotations else [])
    columns = {segment: await annotation_columns_for(reader, wanted) for segment, reader in readers.items()}
    keep = content.image_masks(*splits)
    return await asyncio.to_thread(_matching, content, wanted, columns, keep=keep, ids=ids, marked=marked)


def _matching(
    content: Content,
    wanted: Wanted,
    columns: Mapping[Digest, AnnotationColumns],
    *,
    keep: Masks,
    ids: Ids,
    marked: AssetIds | None,
) -> Masks:
    if wanted.includes:
        keep = intersection(keep, _included(content, wanted, columns, ids=ids))
    if wanted.exclude_classes:
        unwanted = _rows(content, wanted.layers, lambda of: rows_of_classes(columns[of], wanted.exclude_classes))
        keep = difference(keep, image_rows_of(content, unwanted, ids=ids))
    if marked is not None:
        keep = {segment: frozen(mask & among(ids[segment], marked)) for segment, mask in keep.items()}
    return keep


def _included(content: Content, wanted: Wanted, columns: Mapping[Digest, AnnotationColumns], *, ids: Ids) -> Masks:
    whole = _rows(content, wanted.layers, lambda segment: rows_with(columns[segment], wanted))
    found = image_rows_of(content, whole, ids=ids)
    if not wanted.attributes:
        return found
    images = _rows(content, (ATTRIBUTES,), lambda segment: rows_with_attributes(columns[segment], wanted))
    by_image = image_rows_of(content, images, ids=ids)
    if wanted.beside_attributes:
        # An image that has the attributes itself still needs an annotation that meets what else is asked.
        others = _rows(content, wanted.layers, lambda segment: rows_beside_attributes(columns[segment], wanted))
        by_image = intersection(by_image, image_rows_of(content, others, ids=ids))
    return union(found, by_image)


def _rows(content: Content, layers: Iterable[LayerName], meeting: Callable[[Digest], Mask]) -> Masks:
    """Return the rows of some layers, in any of them, that meet something."""
    return union(
        *(
            {segment: frozen(mask & meeting(segment)) for segment, mask in content.layer_masks(name).items()}
            for name in layers
        )
    )
