"""Asset ids as columns: 32 bytes each, sorted, found by their first eight bytes and then compared whole."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

ASSET_BYTES: Final = 32


class AssetIds(NamedTuple):
    """Asset ids in ascending order, none twice."""

    ids: NDArray[np.uint8]
    """Of shape (n, 32), contiguous."""
    prefixes: NDArray[np.uint64]
    """The first eight bytes of each as a number, so ascending too."""

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> "AssetIds":
        """Return the ids of some rows, which must be ascending."""
        return AssetIds(self.ids[rows], self.prefixes[rows])

    def raw(self, row: int) -> bytes:
        """Return one id."""
        return bytes(self.ids[row])


def asset_ids(ids: NDArray[np.uint8]) -> AssetIds:
    """Return sorted ids, of shape (n, 32), with their prefixes."""
    ids = np.ascontiguousarray(ids)
    return AssetIds(ids, prefixes_of(ids))


def asset_ids_of(assets: Sequence[bytes]) -> AssetIds:
    """Return ids given one by one, in any order, as a sorted column."""
    joined = np.frombuffer(b"".join(sorted(set(assets))), dtype=np.uint8)
    return asset_ids(joined.reshape(-1, ASSET_BYTES))


def prefixes_of(ids: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the first eight bytes of each id as a number that sorts as the bytes do."""
    return np.ascontiguousarray(ids[:, :8]).view(">u8").ravel().astype(np.uint64)


def words_of(ids: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return each id as four little-endian words, of shape (n, 4)."""
    return np.ascontiguousarray(ids).view("<u8").reshape(-1, 4)


def positions(haystack: AssetIds, needles: AssetIds) -> NDArray[np.int64]:
    """Return where each needle is in the haystack, -1 where it is not."""
    if not len(haystack.prefixes):
        return np.full(len(needles.prefixes), -1, dtype=np.int64)
    found = np.searchsorted(haystack.prefixes, needles.prefixes).astype(np.int64)
    np.minimum(found, len(haystack.prefixes) - 1, out=found)
    near = np.flatnonzero(haystack.prefixes[found] == needles.prefixes)
    same = _same(haystack.ids[found[near]], needles.ids[near])
    result = np.full(len(needles.prefixes), -1, dtype=np.int64)
    result[near[same]] = found[near[same]]
    # Ids with equal first eight bytes do not happen by chance, but somebody can make them.
    doubtful = near[~same]
    if len(doubtful):
        result[doubtful] = _exact_positions(haystack.ids, needles.ids[doubtful])
    return result


def among(assets: AssetIds, wanted: AssetIds) -> NDArray[np.bool_]:
    """Return which of some assets are among others."""
    if len(wanted.prefixes) < len(assets.prefixes):
        rows = np.zeros(len(assets.prefixes), np.bool_)
        found = positions(assets, wanted)
        rows[found[found >= 0]] = True
        return rows
    return positions(wanted, assets) >= 0


def equal_neighbours(ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return, for each id but the first, whether it equals the one before it."""
    return _same(ids[1:], ids[:-1])


def _same(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((words_of(left) == words_of(right)).all(axis=1), dtype=np.bool_)


def _exact_positions(haystack: NDArray[np.uint8], needles: NDArray[np.uint8]) -> NDArray[np.int64]:
    text = f"S{ASSET_BYTES}"
    hay = np.ascontiguousarray(haystack).view(text).ravel()
    found = np.searchsorted(hay, np.ascontiguousarray(needles).view(text).ravel()).astype(np.int64)
    np.minimum(found, len(hay) - 1, out=found)
    return np.where(_same(haystack[found], needles), found, -1)
