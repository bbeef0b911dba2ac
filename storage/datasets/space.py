"""One space of all image rows that some contents use, in which equal assets have equal numbers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.schema import Digest
from storage.datasets.asset_ids import AssetIds, equal_neighbours, words_of
from storage.datasets.content import Content
from storage.datasets.selections import Mask, Masks, frozen, union

Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class Space:
    """The rows of some segments behind one another; the algebra works on masks over all of them at once.

    A *row mask* has one truth value for each row, an *asset mask* one for each asset and a last one for all
    rows that nobody uses. Assets are numbered in the order of their ids.
    """

    starts: Mapping[Digest, int]
    rows: int
    asset: Numbers
    """The number of each row's asset; ``assets`` for a row that nobody uses."""
    assets: int
    ids: Mapping[Digest, AssetIds]

    @classmethod
    def of(cls, *contents: Content, ids: Mapping[Digest, AssetIds]) -> "Space":
        """Return the space of all rows that some contents use."""
        return cls.of_masks(*(masks for content in contents for masks in _roles(content)), ids=ids)

    @classmethod
    def of_masks(cls, *roles: Masks, ids: Mapping[Digest, AssetIds]) -> "Space":
        """Return the space of all rows that are selected in any of some masks."""
        used = union(*roles)
        starts: dict[Digest, int] = {}
        rows = 0
        for segment in sorted(used):
            starts[segment] = rows
            rows += len(used[segment])
        asset, assets = _numbered(used, ids, rows)
        return cls(starts, rows, asset, assets, ids)

    def flat(self, masks: Masks) -> Mask:
        """Return masks by segment as one row mask."""
        result = np.zeros(self.rows, np.bool_)
        for segment, mask in masks.items():
            start = self.starts[segment]
            result[start : start + len(mask)] = mask
        return result

    def masks(self, rows: Mask) -> dict[Digest, Mask]:
        """Return a row mask as masks by segment, those that select nothing left out."""
        parts = {
            segment: rows[start : start + len(self.ids[segment].prefixes)].copy()
            for segment, start in self.starts.items()
        }
        return {segment: frozen(mask) for segment, mask in parts.items() if mask.any()}

    def assets_of(self, rows: Mask) -> Mask:
        """Return, as an asset mask, which assets have a row in a row mask."""
        result = np.zeros(self.assets + 1, np.bool_)
        result[self.asset[rows]] = True
        return result

    def rows_of(self, assets: Mask) -> Mask:
        """Return, as a row mask, all rows of some assets."""
        return assets[self.asset]

    def row_of(self, rows: Mask) -> NDArray[np.int64]:
        """Return the row of each asset in a row mask that has no asset twice; -1 where it has none."""
        result = np.full(self.assets + 1, -1, np.int64)
        chosen = np.flatnonzero(rows)
        result[self.asset[chosen]] = chosen
        result[self.assets] = -1
        return result

    def raw_ids(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the asset ids of some rows, of shape (n, 32)."""
        result = np.empty((len(rows), 32), np.uint8)
        for segment, start in self.starts.items():
            here = (rows >= start) & (rows < start + len(self.ids[segment].prefixes))
            result[here] = self.ids[segment].ids[rows[here] - start]
        return result

    def names(self, rows: NDArray[np.int64]) -> list[str]:
        """Return the asset ids of some rows as text."""
        return [bytes(asset).hex() for asset in self.raw_ids(rows)]


def _roles(content: Content) -> Iterable[Masks]:
    yield from content.images.values()
    yield from (layer.masks for layer in content.layers.values())


def _numbered(used: Masks, ids: Mapping[Digest, AssetIds], rows: int) -> tuple[Numbers, int]:
    segments = sorted(used)
    if not segments:
        return np.zeros(0, np.int32), 0
    chosen = np.flatnonzero(np.concatenate([used[segment] for segment in segments]))
    prefixes = np.concatenate([ids[segment].prefixes[used[segment]] for segment in segments])
    # Each segment is sorted already, which a stable sort makes use of.
    order = np.argsort(prefixes, kind="stable")
    first = np.concatenate([np.ones(min(1, len(order)), np.bool_), np.diff(prefixes[order]) != 0])
    if not first.all():
        raw = np.concatenate([ids[segment].ids[used[segment]] for segment in segments])
        order, first = _exact(raw, order, first)
    numbers = np.cumsum(first, dtype=np.int32)
    numbers -= 1
    assets = int(numbers[-1]) + 1 if len(numbers) else 0
    asset = np.full(rows, assets, np.int32)
    asset[chosen[order]] = numbers
    return asset, assets


def _exact(
    raw: NDArray[np.uint8], order: NDArray[np.int64], first: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the order and the first of each asset where some have the same first eight bytes."""
    again = np.flatnonzero(~first)
    pairs = np.stack([order[again - 1], order[again]], axis=1)
    if (words_of(raw[pairs[:, 0]]) == words_of(raw[pairs[:, 1]])).all():
        return order, first
    # Somebody made ids that agree in their first eight bytes: sort by all thirty-two.
    words = words_of(raw).byteswap().T
    order = np.lexsort(words[::-1])
    return order, np.concatenate([np.ones(1, np.bool_), ~equal_neighbours(raw[order])])
