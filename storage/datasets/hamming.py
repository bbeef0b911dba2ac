"""Near neighbours among 256-bit hashes by Hamming distance: groups of them, exactly, without comparing all with all."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.near_duplicates import DISTANCE_AT_MOST

Words = NDArray[np.uint64]
"""Hashes as four words each, of shape (n, 4)."""
Numbers = NDArray[np.int64]
Pairs = tuple[Numbers, Numbers]

BITS: Final = 256
BAND_BITS_AT_MOST: Final = 32
LARGE: Final = 192
"""From so many hashes with an equal band on they are compared tile by tile."""
NEXT: Final = 8
SINGLE: Final = 8
"""So much longer it takes to compare a pair on its own than within a tile."""
TILE: Final = (32, 4_096)
"""So many distances are computed at a time that they stay in the cache of a core."""
PAIRS: Final = 1 << 20
"""So many pairs are looked at together."""
FEW: Final = 16


def groups_within(words: Words, distance: int) -> Numbers:
    """Return for each hash the least position in its group. CPU-heavy: call it in a thread.

    Whatever differs in at most ``distance`` bits from one of a group is in it, so all are of one group that lead to
    each other by such steps. Hashes that differ in at most d bits agree in one at least of any d + 1 disjoint sets of
    bits (the pigeonhole principle; Norouzi, Punjani, Fleet: Fast search in Hamming space with multi-index hashing,
    2012). So only those that agree in such a band are compared; where bands tell too little apart, all are, at most
    once each.
    """
    distinct, of_hash = _distinct(words)
    labels = np.arange(len(distinct))
    for left, right in _candidates(_arranged(distinct), distance, labels):
        _unite(labels, left, right)
    first = np.full(len(distinct), len(words))
    np.minimum.at(first, labels[of_hash], np.arange(len(words)))
    return first[labels[of_hash]]


def nearest(words: Words, among: Words) -> tuple[Numbers, NDArray[np.int64]]:
    """Return for each hash the position of the nearest among others, the first of equals, and their distance."""
    best = np.full(len(words), BITS + 1)
    where = np.zeros(len(words), np.int64)
    rows, columns = TILE
    for top in range(0, len(words), rows):
        for left in range(0, len(among), columns):
            distances = _distances(words[top : top + rows], among[left : left + columns])
            closest = distances.argmin(axis=1)
            found = distances[np.arange(len(closest)), closest].astype(np.int64)
            better = np.flatnonzero(found < best[top : top + rows])
            best[top + better] = found[better]
            where[top + better] = left + closest[better]
    return where, best


def _distinct(words: Words) -> tuple[Words, Numbers]:
    """Return the distinct hashes, and which of them each hash is."""
    order = np.lexsort(words.T)
    in_order = words[order]
    is_new = np.concatenate([np.ones(min(1, len(words)), np.bool_), (in_order[1:] != in_order[:-1]).any(axis=1)])
    of_hash = np.empty(len(words), np.int64)
    of_hash[order] = np.cumsum(is_new) - 1
    return in_order[is_new], of_hash


def _arranged(words: Words) -> Words:
    """Return the same bits in another order: those first that tell most hashes apart."""
    octets = np.ascontiguousarray(words).view(np.uint8)
    columns = [(octets[:, bit >> 3] >> np.uint8(bit & 7)) & np.uint8(1) for bit in range(BITS)]
    order = np.argsort([abs(2 * np.count_nonzero(column) - len(words)) for column in columns], kind="stable")
    result = np.zeros_like(words)
    for place, bit in enumerate(order.tolist()):
        result[:, place >> 6] |= columns[bit].astype(np.uint64) << np.uint64(place & 63)
    return result


def _candidates(words: Words, distance: int, labels: Numbers) -> Iterator[Pairs]:
    """Yield pairs within the distance that are in different groups by now, so that all groups come together."""
    runs = [_runs(_band(words, band, distance + 1)) for band in range(distance + 1)]
    for order, starts, sizes in runs:
        # Most of a large group is together when each has seen those that are next to it.
        yield from _apart(words, _neighbours(order, starts, sizes, at_most=NEXT), distance, labels)
    if sum(_cost(sizes) for _, _, sizes in runs) > _cost(np.full(1, len(words))):
        runs = [(np.arange(len(words)), np.zeros(1, np.int64), np.full(1, len(words)))]
    for order, starts, sizes in runs:
        small, large = sizes < LARGE, sizes >= LARGE
        yield from _apart(words, _neighbours(order, starts[small], sizes[small]), distance, labels)
        for start, size in zip(starts[large].tolist(), sizes[large].tolist(), strict=True):
            yield from _tiled(words, order[start : start + size], distance, labels)


def _cost(sizes: Numbers) -> float:
    """Return about how long it takes to compare all within each run, in distances of a tile."""
    pairs = sizes.astype(np.float64) ** 2 / 2
    return float(np.where(sizes < LARGE, pairs * SINGLE, pairs + TILE[1] * sizes).sum())


def _band(words: Words, band: int, bands: int) -> NDArray[np.uint32]:
    """Return the bits of a band, at most 32 of its share, as numbers."""
    key = np.zeros(len(words), np.uint32)
    for bit in range(band, BITS, bands)[:BAND_BITS_AT_MOST]:
        key <<= np.uint32(1)
        key |= ((words[:, bit >> 6] >> np.uint64(bit & 63)) & np.uint64(1)).astype(np.uint32)
    return key


def _runs(key: NDArray[np.uint32]) -> tuple[Numbers, Numbers, Numbers]:
    """Return the order by a key, and where in it each run of equal keys starts and how long it is."""
    order = np.argsort(key, kind="stable")
    in_order = key[order]
    starts = np.flatnonzero(np.concatenate([np.ones(min(1, len(key)), np.bool_), in_order[1:] != in_order[:-1]]))
    return order, starts, np.diff(np.append(starts, len(key)))


def _neighbours(order: Numbers, starts: Numbers, sizes: Numbers, *, at_most: int | None = None) -> Iterator[Pairs]:
    """Yield all pairs within each run, or each member with so many that follow it, a bounded number at a time."""
    place = np.repeat(starts, sizes) + _counting(sizes)
    followers = np.repeat(sizes, sizes) - _counting(sizes) - 1
    if at_most is not None:
        followers = np.minimum(followers, at_most)
    ends = np.cumsum(followers)
    begin = 0
    while begin < len(place):
        done = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + PAIRS)))
        counts = followers[begin:end]
        left = np.repeat(place[begin:end], counts)
        yield order[left], order[left + 1 + _counting(counts)]
        begin = end


def _counting(sizes: Numbers) -> Numbers:
    """Return 0, 1, ... for each of some sizes, behind one another."""
    return np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def _apart(words: Words, pairs: Iterator[Pairs], distance: int, labels: Numbers) -> Iterator[Pairs]:
    """Yield those pairs that are in different groups and within the distance."""
    for left, right in pairs:
        apart = labels[left] != labels[right]
        i, j = left[apart], right[apart]
        near = np.bitwise_count(words[i, 0] ^ words[j, 0]) <= distance
        i, j = i[near], j[near]
        near = np.bitwise_count(words[i] ^ words[j]).sum(axis=1, dtype=np.int64) <= distance
        yield i[near], j[near]


def _tiled(words: Words, members: Numbers, distance: int, labels: Numbers) -> Iterator[Pairs]:
    """Yield the close pairs among many hashes, tile by tile; tiles that are of one group by now are passed over."""
    members = members[np.argsort(labels[members], kind="stable")]
    columns = np.ascontiguousarray(words[members].T)
    tile = _Tile()
    for top in range(0, len(members), TILE[0]):
        upper = members[top : top + TILE[0]]
        for left in range(top, len(members), TILE[1]):
            lower = members[left : left + TILE[1]]
            groups = labels[lower]
            if (labels[upper] == groups[0]).all() and (groups == groups[0]).all():
                continue
            row, column = tile.close(columns[:, top : top + TILE[0]], columns[:, left : left + TILE[1]], distance)
            i, j = upper[row], lower[column]
            apart = labels[i] != labels[j]
            yield i[apart], j[apart]


class _Tile:
    """Distances of some hashes to some others, in memory that is used again and again."""

    def __init__(self) -> None:
        self._differing = np.empty(TILE, np.uint64)
        self._bits = np.empty(TILE, np.uint8)
        self._total = np.empty(TILE, np.uint8)

    def close(self, left: Words, right: Words, distance: int) -> Pairs:
        """Return the pairs within a distance; hashes are columns. Most are told apart by their first words."""
        size = (left.shape[1], right.shape[1])
        differing, bits, total = (part[: size[0], : size[1]] for part in (self._differing, self._bits, self._total))
        for word in range(len(left)):
            np.bitwise_xor(left[word][:, None], right[word], out=differing)
            np.bitwise_count(differing, out=bits if word else total)
            if word == len(left) - 1:
                # So the sum stays below 256, and above every distance that is asked for.
                np.minimum(total, DISTANCE_AT_MOST + 1, out=total)
            if word:
                np.add(total, bits, out=total)
            left_over = total <= distance
            if FEW * np.count_nonzero(left_over) < total.size:
                break
        row, column = np.nonzero(left_over)
        rest = np.bitwise_count(left[:, row] ^ right[:, column]).sum(axis=0, dtype=np.int64)
        good = rest <= distance
        return row[good], column[good]


def _distances(left: Words, right: Words) -> NDArray[np.uint16]:
    result = np.zeros((len(left), len(right)), np.uint16)
    for word in range(left.shape[1]):
        result += np.bitwise_count(left[:, word : word + 1] ^ right[:, word])
    return result


def _unite(labels: Numbers, left: Numbers, right: Numbers) -> None:
    """Make one group of the groups of each pair; a label is always the least position of its group."""
    while len(left):
        one, other = labels[left], labels[right]
        apart = one != other
        left, right, one, other = left[apart], right[apart], one[apart], other[apart]
        np.minimum.at(labels, np.maximum(one, other), np.minimum(one, other))
        while (labels[labels] != labels).any():
            labels[:] = labels[labels]
