"""Listing the assets of a content in order of (segment, row): all of them, a page, or one."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.annotations import LayerName
from schemas.errors import Invalid, NotFound
from schemas.schema import AssetId, Digest
from schemas.splits import Split
from storage.datasets.asset_ids import AssetIds, asset_ids_of, positions
from storage.datasets.content import Content, LayerContent
from storage.datasets.decoding import image_rows
from storage.datasets.filter import matching
from storage.datasets.lookup import annotations_of
from storage.datasets.matching import Attributes, Wanted
from storage.datasets.reading import Segments
from storage.datasets.rows import AnnotationRow, AssetRow
from storage.datasets.selections import Mask, Masks, difference, frozen

BATCH: Final = 2_048
SPLITS: Final = tuple(Split)
NOWHERE: Final = -1


class AssetQuery(NamedTuple):
    """Which assets of a version are meant, and which layers are shown with them (all when none is named)."""

    layers: tuple[LayerName, ...] = ()
    classes: tuple[str, ...] = ()
    """Any of them must be on the asset, in one of the layers."""
    splits: tuple[Split, ...] = ()
    name: str = ""
    """What the file name has in it, in whatever case."""
    attributes: Attributes = ()
    """Any of these alternatives, on an annotation that also is of the classes, or on the image itself."""
    assets: AssetIds | None = None
    """Only assets among these, such as those with a mark in an evaluation."""


ALL_ASSETS: Final = AssetQuery()


class AssetPage(NamedTuple):
    """Some assets and, unless they are the last, where the next page starts."""

    rows: tuple[AssetRow, ...]
    next: str | None


async def asset_rows(
    content: Content, *, layers: Sequence[LayerName] | None, splits: Sequence[Split] | None, library: Segments
) -> AsyncIterator[AssetRow]:
    """Yield all assets, decoded batch by batch in threads."""
    shown = tuple(content.layers if layers is None else layers)
    wanted = content.image_masks(*splits) if splits else content.image_masks()
    for segment in sorted(wanted):
        rows = np.flatnonzero(wanted[segment])
        for start in range(0, len(rows), BATCH):
            for row in await _decoded(content, segment, rows[start : start + BATCH], layers=shown, library=library):
                yield row


async def asset_page(
    content: Content, *, query: AssetQuery, limit: int, cursor: str | None, library: Segments
) -> AssetPage:
    """Return at most ``limit`` assets behind the cursor; the segments after the page are not looked at."""
    segments = sorted(content.image_masks(*query.splits))
    position, after = _parsed(cursor, len(segments))
    shown = query.layers or tuple(content.layers)
    elsewhere = _elsewhere(content)
    found: list[AssetRow] = []
    for place in range(position, len(segments)):
        rows = await _matching_rows(content, segments[place], query, elsewhere, library=library)
        rows = rows[rows > after] if place == position else rows
        wanted = rows[: limit - len(found)]
        found += await _decoded(content, segments[place], wanted, layers=shown, library=library)
        if len(found) == limit:
            is_last = len(rows) == len(wanted) and place == len(segments) - 1
            return AssetPage(tuple(found), None if is_last else f"{place}.{wanted[-1]}")
    return AssetPage(tuple(found), None)


async def found_asset(
    content: Content, asset: AssetId, *, layers: Sequence[LayerName] | None, library: Segments
) -> AssetRow:
    """Return one asset; raise NotFound."""
    needle = asset_ids_of([bytes.fromhex(asset)])
    masks = content.image_masks()
    for segment, reader in (await library.segments(masks)).items():
        row = int(positions(await reader.assets(), needle)[0])
        if row >= 0 and masks[segment][row]:
            shown = tuple(content.layers if layers is None else layers)
            return (await _decoded(content, segment, np.array([row]), layers=shown, library=library))[0]
    raise NotFound("asset", asset, step="Look at the version's list of assets.")


def _parsed(cursor: str | None, segments: int) -> tuple[int, int]:
    if cursor is None:
        return 0, NOWHERE
    position, dot, row = cursor.partition(".")
    numbers = [part for part in (position, row) if part.isascii() and part.isdecimal() and len(part) < len("1000000")]
    if not dot or len(numbers) < len((position, row)) or int(position) >= segments:
        raise Invalid(f"{cursor[:50]!r} is no cursor of this list.", step="Start again without a cursor.")
    return int(position), int(row)


def _elsewhere(content: Content) -> dict[LayerName, Masks]:
    """Return the rows of each layer whose image is in another segment."""
    images = content.image_masks()
    apart = {name: difference(layer.masks, images) for name, layer in content.layers.items()}
    return {name: {segment: mask for segment, mask in masks.items() if mask.any()} for name, masks in apart.items()}


async def _matching_rows(
    content: Content, segment: Digest, query: AssetQuery, elsewhere: Mapping[LayerName, Masks], *, library: Segments
) -> NDArray[np.int64]:
    """Return the image rows of one segment that a query means."""
    here = _only(content, segment, elsewhere)
    keep: Masks = here.image_masks(*query.splits)
    if query.classes or query.attributes or query.assets is not None:
        wanted = Wanted(
            layers=query.layers or tuple(content.layers), include_classes=query.classes, attributes=query.attributes
        )
        readers = await library.segments(here.segments() if wanted.looks_at_annotations else [segment])
        ids = {digest: await reader.assets() for digest, reader in readers.items()}
        keep = await matching(here, wanted, splits=query.splits, ids=ids, library=library, marked=query.assets)
    mask = keep.get(segment)
    if mask is None:
        return np.zeros(0, np.int64)
    return np.flatnonzero(await _named(segment, mask, query.name, library=library))


def _only(content: Content, segment: Digest, elsewhere: Mapping[LayerName, Masks]) -> Content:
    """Return the images of one segment, with all rows of layers that can be theirs."""
    images = {split: {segment: masks[segment]} for split, masks in content.images.items() if segment in masks}
    layers = {
        name: LayerContent({**elsewhere[name], **{of: mask for of, mask in layer.masks.items() if of == segment}})
        for name, layer in content.layers.items()
    }
    return Content(images, layers)


async def _named(segment: Digest, mask: Mask, part: str, *, library: Segments) -> Mask:
    if not part or not mask.any():
        return mask
    reader = (await library.segments([segment]))[segment]
    if not reader.document.described:
        return frozen(np.zeros_like(mask))
    names = (await reader.images(["file_name"])).column("file_name").combine_chunks()
    return await asyncio.to_thread(_with_part, mask, names, part)


def _with_part(mask: Mask, names: Any, part: str) -> Mask:  # noqa: ANN401 - pyarrow has no types
    result = np.zeros_like(mask)
    rows = np.flatnonzero(mask)
    some = names if len(rows) == len(mask) else names.take(rows)
    # Many times quicker than Arrow's own ignoring of case; beyond ASCII letters count only if the part has some.
    lowered = pc.ascii_lower(some) if part.isascii() else pc.utf8_lower(some)
    result[rows] = pc.match_substring(lowered, part.lower()).to_numpy(zero_copy_only=False)
    return frozen(result)


async def _decoded(
    content: Content, segment: Digest, rows: NDArray[np.int64], *, layers: Sequence[LayerName], library: Segments
) -> list[AssetRow]:
    """Return some image rows of a segment with their annotations."""
    if not len(rows):
        return []
    reader = (await library.segments([segment]))[segment]
    assets = (await reader.assets()).take(rows)
    table = await reader.images()
    found = [await annotations_of(assets, content.layer_masks(name), library=library) for name in layers]
    codes = np.full(reader.document.image_rows, SPLITS.index(Split.NONE), np.int8)
    for split, masks in content.images.items():
        if segment in masks:
            codes[masks[segment]] = SPLITS.index(split)
    return await asyncio.to_thread(_joined, table.take(rows), codes[rows], dict(zip(layers, found, strict=True)))


def _joined(
    images: pa.Table, splits: NDArray[np.int8], layers: Mapping[LayerName, list[tuple[AnnotationRow, ...] | None]]
) -> list[AssetRow]:
    return [
        AssetRow(
            image,
            SPLITS[split],
            {name: rows for name, of_row in layers.items() if (rows := of_row[position]) is not None},
        )
        for position, (image, split) in enumerate(zip(image_rows(images), splits.tolist(), strict=True))
    ]
