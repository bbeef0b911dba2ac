"""Near-duplicates: groups of images whose hashes hardly differ, and those that two splits have."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.schema import AssetId
from schemas.splits import Split
from storage.datasets.columns import fixed_matrix
from storage.datasets.content import Content
from storage.datasets.hamming import Numbers, Words, groups_within, nearest
from storage.datasets.reading import Segments
from storage.datasets.restriction import Ids
from storage.datasets.rows import PERCEPTUAL_HASH_BYTES
from storage.datasets.selections import Mask

USED: Final = (Split.TRAINING, Split.VALIDATION, Split.TEST)


class Hashes(NamedTuple):
    """The hashes of images in order of (segment, row)."""

    words: Words
    """Zeros where an image has none."""
    known: Mask


class Grouping(NamedTuple):
    """Which images are near-duplicates of each other, also by way of others."""

    label: Numbers
    """For each image, in order of (segment, row), the position of the first of its group."""
    without_hash: int
    """How many images have no hash: each is a group of its own."""


class NearDuplicate(NamedTuple):
    """An image, and its nearest in a split before its own (of training, validation, test)."""

    asset: AssetId
    split: Split
    of: AssetId
    of_split: Split
    distance: int


@dataclass(frozen=True)
class Leakage:
    """The images that have a near-duplicate in a split before their own, by asset id."""

    found: tuple[NearDuplicate, ...]
    looked_at: int
    without_hash: int


async def near_duplicate_groups(content: Content, *, distance: int, library: Segments) -> Grouping:
    """Return the groups of near-duplicates among the images of a content."""
    hashes = await hashes_of(content, library=library)
    return await asyncio.to_thread(_grouping, hashes, distance)


async def leakage(content: Content, *, distance: int, ids: Ids, library: Segments) -> Leakage:
    """Return the images in training, validation and test that are near-duplicates across these splits."""
    parts = [Content({split: content.images.get(split, {})}) for split in USED]
    hashes = [await hashes_of(part, library=library) for part in parts]
    return await asyncio.to_thread(_leakage, parts, hashes, distance, ids)


async def hashes_of(content: Content, *, library: Segments) -> Hashes:
    """Return the hashes that were taken of the images of a content when they were imported."""
    masks = content.image_masks()
    readers = await library.segments(masks)
    words, known = [np.zeros((0, 4), np.uint64)], [np.zeros(0, np.bool_)]
    for segment in sorted(masks):
        mask, column = masks[segment], None
        if readers[segment].document.described:
            column = (await readers[segment].images(["perceptual_hash"])).column("perceptual_hash")
        part = await asyncio.to_thread(_hashes, column, mask)
        words.append(part.words)
        known.append(part.known)
    return Hashes(np.concatenate(words), np.concatenate(known))


def _hashes(column: Any, mask: Mask) -> Hashes:  # noqa: ANN401 - pyarrow has no types
    if column is None:
        count = int(np.count_nonzero(mask))
        return Hashes(np.zeros((count, 4), np.uint64), np.zeros(count, np.bool_))
    known = column.is_valid().to_numpy()
    filled = pc.fill_null(column, pa.scalar(bytes(PERCEPTUAL_HASH_BYTES), column.type)).combine_chunks()
    return Hashes(np.ascontiguousarray(fixed_matrix(filled)[mask]).view("<u8").astype(np.uint64), known[mask])


def _grouping(hashes: Hashes, distance: int) -> Grouping:
    label = np.arange(len(hashes.known))
    places = np.flatnonzero(hashes.known)
    label[places] = places[groups_within(hashes.words[places], distance)]
    return Grouping(label, len(label) - len(places))


def _leakage(parts: Sequence[Content], hashes: Sequence[Hashes], distance: int, ids: Ids) -> Leakage:
    known = np.concatenate([part.known for part in hashes])
    words = np.concatenate([part.words for part in hashes])[known]
    split = np.repeat(np.arange(len(hashes)), [len(part.known) for part in hashes])[known]
    assets = np.concatenate([_assets(part, ids) for part in parts])[known]
    label = groups_within(words, distance)
    across = np.zeros(len(words), np.int64)
    np.bitwise_or.at(across, label, 1 << split)
    there = np.flatnonzero(np.bitwise_count(across[label]) > 1)
    # Group by group, in each the splits, in each the images by id: the first of equally near ones is the least.
    big_endian = np.ascontiguousarray(assets[there]).view(">u8").T[::-1]
    there = there[np.lexsort((*big_endian, split[there], label[there]))]
    found = sorted(_pairs(there, words, split, label, assets, distance))
    return Leakage(tuple(found), len(known), int(np.count_nonzero(~known)))


def _assets(content: Content, ids: Ids) -> NDArray[np.uint8]:
    masks = content.image_masks()
    return np.concatenate(
        [np.zeros((0, 32), np.uint8), *(ids[segment].ids[masks[segment]] for segment in sorted(masks))]
    )


def _pairs(
    places: Numbers, words: Words, split: Numbers, label: Numbers, assets: NDArray[np.uint8], distance: int
) -> Iterator[NearDuplicate]:
    """Yield each image, group after group, with its nearest in the splits before its own, if that is near enough."""
    ends = np.flatnonzero(np.diff(label[places])) + 1
    for group in np.split(places, ends):
        for own in np.unique(split[group])[1:].tolist():
            later, earlier = group[split[group] == own], group[split[group] < own]
            for image, other, bits in _nearest(later, earlier, words):
                if bits <= distance:
                    pair = (bytes(assets[image]).hex(), USED[own], bytes(assets[other]).hex(), USED[split[other]])
                    yield NearDuplicate(*pair, bits)


def _nearest(later: Numbers, earlier: Numbers, words: Words) -> Iterator[tuple[int, int, int]]:
    # A thousand copies of one image have one nearest.
    hashes, of_later = np.unique(words[later], axis=0, return_inverse=True)
    others, first = np.unique(words[earlier], axis=0, return_index=True)
    in_order = np.argsort(first, kind="stable")
    where, bits = nearest(hashes, others[in_order])
    partner = earlier[first[in_order][where]]
    yield from zip(later.tolist(), partner[of_later].tolist(), bits[of_later].tolist(), strict=True)
