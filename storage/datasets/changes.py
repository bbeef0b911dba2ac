"""Changes: what differs between two contents asset by asset and annotation by annotation, in pages."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.annotations import LayerName
from schemas.diffs import AssetDiff, ChangeKind
from schemas.errors import Invalid
from schemas.schema import Digest
from schemas.splits import Split
from storage.datasets.asset_diffs import Rows, asset_diff
from storage.datasets.asset_ids import ASSET_BYTES, AssetIds, asset_ids, positions
from storage.datasets.comparison import rows_differ
from storage.datasets.content import Content
from storage.datasets.lookup import annotations_of
from storage.datasets.reading import Segments
from storage.datasets.restriction import Ids
from storage.datasets.selections import Mask, Masks, difference, frozen, intersection, tidied, union
from storage.datasets.space import Space

WINDOWS: Final = (2_000, 20_000)
"""So many rows of each segment are looked at together, and if that is no full page, so many more."""
SPLITS: Final = tuple(Split)
OF_LAYERS: Final = frozenset({ChangeKind.ANNOTATED, ChangeKind.UNANNOTATED, ChangeKind.CHANGED})

Numbers = NDArray[np.int64]


class ChangeQuery(NamedTuple):
    """Which changes are meant: of some layers (any), of some kinds (all; of named layers, those of layers)."""

    layers: tuple[LayerName, ...] = ()
    kinds: tuple[ChangeKind, ...] = ()

    def wanted(self) -> frozenset[ChangeKind]:
        """Return the kinds that are meant."""
        return frozenset(self.kinds) or (OF_LAYERS if self.layers else frozenset(ChangeKind))


class ChangePage(NamedTuple):
    """Some assets in order of their ids and, unless nothing more can come, where the next page starts."""

    diffs: tuple[AssetDiff, ...]
    next: str | None


async def asset_changes(
    before: Content, after: Content, *, query: ChangeQuery, limit: int, cursor: str | None, ids: Ids, library: Segments
) -> ChangePage:
    """Return the next assets, after the one that ``cursor`` names, that differ in what is meant.

    Rows that both have in the same place are not looked at. A page may have fewer assets than asked for, and still a
    next one, where many rows are in other places and say the same. Raise Invalid for a cursor that is no asset.
    """
    pages = _Pages(before, after, query, library=library)
    found: list[AssetDiff] = []
    position = _position(cursor)
    for size in WINDOWS:
        window, bound = await asyncio.to_thread(_window, pages.differing, position, size, ids)
        diffs = await pages.diffs(window, limit=limit + 1 - len(found), ids=ids)
        found += diffs
        if len(found) > limit:
            return ChangePage(tuple(found[:limit]), found[limit - 1].asset)
        if bound is None:
            return ChangePage(tuple(found), None)
        position = bound
    return ChangePage(tuple(found), position.hex())


class _Pages:
    """Two contents, and the rows that not both have."""

    def __init__(self, before: Content, after: Content, query: ChangeQuery, *, library: Segments) -> None:
        self._sides = before, after
        self._wanted = query.wanted()
        self._library = library
        self._names = query.layers or tuple(sorted({*before.layers, *after.layers}))
        self._images = union(
            *(_differing(before.images.get(split, {}), after.images.get(split, {})) for split in Split)
        )
        self._layers = {name: _differing(before.layer_masks(name), after.layer_masks(name)) for name in self._names}
        self.differing = union(self._images, *self._layers.values())

    async def diffs(self, window: Masks, *, limit: int, ids: Ids) -> list[AssetDiff]:
        """Return the first assets of a window that differ in what is meant."""
        images = tidied(intersection(self._images, window))
        layers = {name: tidied(intersection(masks, window)) for name, masks in self._layers.items()}
        space = await asyncio.to_thread(Space.of_masks, images, *layers.values(), ids=ids)
        kinds = await self._kinds(space, images, layers)
        meant = np.zeros(space.assets, np.bool_)
        for kind in self._wanted:
            meant |= kinds[kind]
        chosen = np.flatnonzero(meant)[:limit]
        if not len(chosen):
            return []
        assets = asset_ids(space.raw_ids(_any_row(space)[chosen]))
        splits = [await self._splits_of(side, assets) for side in self._sides]
        rows = {
            name: [await self._rows(side, name, masks, assets) for side in self._sides]
            for name, masks in layers.items()
        }
        return await asyncio.to_thread(_told, assets, splits, rows)

    async def _kinds(self, space: Space, images: Masks, layers: Mapping[LayerName, Masks]) -> dict[ChangeKind, Mask]:
        """Return which assets changed in which way, in any of the layers."""
        old, new = (_splits(space, side, images) for side in self._sides)
        found = {
            ChangeKind.ADDED: (old < 0) & (new >= 0),
            ChangeKind.REMOVED: (old >= 0) & (new < 0),
            ChangeKind.MOVED: (old >= 0) & (new >= 0) & (old != new),
        }
        for kind in OF_LAYERS:
            found[kind] = np.zeros(space.assets, np.bool_)
        for name, masks in layers.items():
            rows = [space.row_of(space.flat(intersection(side.layer_masks(name), masks)))[:-1] for side in self._sides]
            found[ChangeKind.ANNOTATED] |= (rows[0] < 0) & (rows[1] >= 0)
            found[ChangeKind.UNANNOTATED] |= (rows[0] >= 0) & (rows[1] < 0)
            both = np.flatnonzero((rows[0] >= 0) & (rows[1] >= 0))
            differ = await rows_differ(space, rows[0][both], rows[1][both], library=self._library)
            found[ChangeKind.CHANGED][both[differ]] = True
        return found

    async def _splits_of(self, side: Content, assets: AssetIds) -> list[Split | None]:
        found: list[Split | None] = [None] * len(assets.prefixes)
        readers = await self._library.segments(side.image_masks())
        for segment, reader in readers.items():
            places = positions(await reader.assets(), assets)
            for split, masks in side.images.items():
                if segment in masks:
                    for asset in np.flatnonzero((places >= 0) & masks[segment][places]).tolist():
                        found[asset] = split
        return found

    async def _rows(self, side: Content, name: LayerName, masks: Masks, assets: AssetIds) -> list[Rows | None]:
        return await annotations_of(assets, tidied(intersection(side.layer_masks(name), masks)), library=self._library)


def _differing(before: Masks, after: Masks) -> dict[Digest, Mask]:
    """Return the rows that one of two contents selects."""
    return tidied(difference(union(before, after), intersection(before, after)))


def _window(differing: Masks, after: bytes, size: int, ids: Ids) -> tuple[dict[Digest, Mask], bytes | None]:
    """Return the next rows in order of assets, all rows of each asset; and the last asset, None if it is the very last.

    Rows of a segment are in order of their ids: the first ones behind a place are found without looking at the rest.
    """
    taken: dict[Digest, Numbers] = {}
    bound: bytes | None = None
    for segment, mask in differing.items():
        start = _behind(ids[segment], after)
        rows = start + np.flatnonzero(mask[start:])
        taken[segment] = rows[:size]
        if len(rows) > size:
            last = ids[segment].raw(int(rows[size - 1]))
            bound = last if bound is None else min(bound, last)
    window: dict[Digest, Mask] = {}
    for segment, rows in taken.items():
        chosen = np.zeros_like(differing[segment])
        chosen[rows if bound is None else rows[rows < _behind(ids[segment], bound)]] = True
        window[segment] = frozen(chosen)
    return tidied(window), bound


def _behind(assets: AssetIds, asset: bytes) -> int:
    """Return the first row whose asset comes behind another."""
    if not asset:
        return 0
    prefix = np.uint64(int.from_bytes(asset[:8], "big"))
    row = int(np.searchsorted(assets.prefixes, prefix, side="left"))
    while row < len(assets.prefixes) and assets.raw(row) <= asset:
        row += 1
    return row


def _splits(space: Space, side: Content, images: Masks) -> NDArray[np.int8]:
    result = np.full(space.assets, -1, np.int8)
    for code, split in enumerate(SPLITS):
        rows = space.flat(intersection(side.images.get(split, {}), images))
        result[space.assets_of(rows)[:-1]] = code
    return result


def _any_row(space: Space) -> Numbers:
    """Return a row of each asset."""
    rows = np.full(space.assets + 1, -1, np.int64)
    rows[space.asset] = np.arange(space.rows)
    return rows[:-1]


def _told(
    assets: AssetIds, splits: Sequence[list[Split | None]], rows: Mapping[LayerName, list[list[Rows | None]]]
) -> list[AssetDiff]:
    before, after = splits
    return [
        asset_diff(
            assets.raw(place),
            before=before[place],
            after=after[place],
            layers={name: (old[place], new[place]) for name, (old, new) in rows.items()},
        )
        for place in range(len(assets.prefixes))
    ]


def _position(cursor: str | None) -> bytes:
    if cursor is None:
        return b""
    try:
        asset = bytes.fromhex(cursor)
    except ValueError:
        asset = b""
    if len(asset) != ASSET_BYTES:
        raise Invalid(f"{cursor[:80]!r} is no cursor of this list.", step="Start again without a cursor.")
    return asset
