"""Filter: the assets that meet conditions, whole."""

import asyncio
from collections.abc import Mapping

import numpy as np

from schemas.algebra_parameters import Conditions
from schemas.annotations import ATTRIBUTES
from schemas.schema import Digest
from storage.datasets.asset_ids import AssetIds, positions
from storage.datasets.content import Content
from storage.datasets.matching import (
    AnnotationColumns,
    annotation_columns_for,
    rows_of_classes,
    rows_with,
    rows_with_any_attributes,
)
from storage.datasets.reading import Segments
from storage.datasets.restriction import Ids, image_rows_of, restricted
from storage.datasets.selections import Mask, Masks, difference, frozen, intersection, union


async def filtered(
    content: Content, conditions: Conditions, *, ids: Ids, library: Segments, marked: AssetIds | None = None
) -> Content:
    """Return the content with those assets alone that meet the conditions; their annotations all stay.

    Kept is an asset that has an annotation in the named layers which meets classes (any of those included), area,
    confidence and attributes together, and none of an excluded class; that is in one of the splits; and that is among
    ``marked``, the assets with the marks asked for. Attributes may also be those of the whole image. An annotation
    without confidence, or without an area of its own or of its box, meets no bounds on it.
    """
    keep = await matching(content, conditions, ids=ids, library=library, marked=marked)
    return await asyncio.to_thread(restricted, content, keep, ids=ids)


async def matching(
    content: Content, conditions: Conditions, *, ids: Ids, library: Segments, marked: AssetIds | None = None
) -> Masks:
    """Return the image rows of the assets that ``filtered`` keeps."""
    layers = {name: content.layer_masks(name) for name in dict.fromkeys((*conditions.layers, ATTRIBUTES))}
    looked_at = conditions.layers if not conditions.attributes else tuple(layers)
    segments = [segment for name in looked_at for segment in layers[name]] if _looks_at_annotations(conditions) else []
    columns = {
        segment: await annotation_columns_for(reader, conditions)
        for segment, reader in (await library.segments(segments)).items()
    }
    return await asyncio.to_thread(_matching, content, conditions, columns, ids=ids, marked=marked)


def _looks_at_annotations(conditions: Conditions) -> bool:
    return _includes(conditions) or bool(conditions.exclude_classes)


def _includes(conditions: Conditions) -> bool:
    bounds = (*conditions.area, *conditions.confidence)
    return bool(conditions.include_classes or conditions.attributes) or any(bound is not None for bound in bounds)


def _matching(
    content: Content,
    conditions: Conditions,
    columns: Mapping[Digest, AnnotationColumns],
    *,
    ids: Ids,
    marked: AssetIds | None,
) -> Masks:
    keep = content.image_masks(*conditions.splits)
    if _includes(conditions):
        keep = intersection(keep, _included(content, conditions, columns, ids=ids))
    if conditions.exclude_classes:
        unwanted = {
            name: {
                segment: frozen(mask & rows_of_classes(columns[segment], conditions.exclude_classes))
                for segment, mask in content.layer_masks(name).items()
            }
            for name in conditions.layers
        }
        keep = difference(keep, image_rows_of(content, union(*unwanted.values()), ids=ids))
    if marked is not None:
        keep = {segment: frozen(mask & among(ids[segment], marked)) for segment, mask in keep.items()}
    return keep


def _included(
    content: Content, conditions: Conditions, columns: Mapping[Digest, AnnotationColumns], *, ids: Ids
) -> Masks:
    layers = [content.layer_masks(name) for name in conditions.layers]
    whole = [
        {segment: frozen(mask & rows_with(columns[segment], conditions)) for segment, mask in masks.items()}
        for masks in layers
    ]
    found = image_rows_of(content, union(*whole), ids=ids)
    if not conditions.attributes:
        return found
    return union(found, _by_image_attributes(content, conditions, columns, ids=ids))


def _by_image_attributes(
    content: Content, conditions: Conditions, columns: Mapping[Digest, AnnotationColumns], *, ids: Ids
) -> Masks:
    """Return the images that themselves have the attributes, and an annotation that meets what else is asked."""
    only = Conditions(attributes=conditions.attributes)
    images = {
        segment: frozen(mask & rows_with(columns[segment]._replace(areas=None, confidences=None), only))
        for segment, mask in content.layer_masks(ATTRIBUTES).items()
    }
    found = image_rows_of(content, images, ids=ids)
    if not _includes(conditions.model_copy(update={"attributes": {}})):
        return found
    others = [
        {
            segment: frozen(mask & rows_with_any_attributes(columns[segment], conditions))
            for segment, mask in masks.items()
        }
        for masks in (content.layer_masks(name) for name in conditions.layers)
    ]
    return intersection(found, image_rows_of(content, union(*others), ids=ids))


def among(assets: AssetIds, wanted: AssetIds) -> Mask:
    """Return which of some assets are among others."""
    if len(wanted.prefixes) < len(assets.prefixes):
        rows = np.zeros(len(assets.prefixes), np.bool_)
        found = positions(assets, wanted)
        rows[found[found >= 0]] = True
        return rows
    return positions(wanted, assets) >= 0
