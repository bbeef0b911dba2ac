"""Groups of near hashes, held to comparing all with all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from storage.datasets import hamming
from storage.datasets.hamming import groups_within, nearest

Words = NDArray[np.uint64]


@st.composite
def hashes(draw: st.DrawFn) -> Words:
    """Draw hashes, most of them a few bits away from others; the bits that differ may all be in one place."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(0, 60))
    bases = random.integers(0, 2**64, (draw(st.integers(1, 8)), 4), dtype=np.uint64)
    lowest = draw(st.sampled_from([0, 100, 250]))
    bits = np.zeros((count, 256), np.uint8)
    for row in bits:
        row[random.integers(lowest, 256, random.integers(0, draw(st.sampled_from([1, 6, 40])) + 1))] = 1
    flips = np.packbits(bits, axis=1, bitorder="little").view(np.uint64).reshape(count, 4)
    return np.asarray(bases[random.integers(0, len(bases), count)] ^ flips)


def all_with_all(words: Words, distance: int) -> list[int]:
    """Return the least position of each group, found by going from neighbour to neighbour."""
    away = np.bitwise_count(words[:, None] ^ words[None]).sum(axis=2)
    label = [-1] * len(words)
    for start in range(len(words)):
        waiting = [start] if label[start] < 0 else []
        while waiting:
            one = waiting.pop()
            if label[one] < 0:
                label[one] = start
                waiting += np.flatnonzero(away[one] <= distance).tolist()
    return label


@settings(max_examples=60, deadline=None)
@given(hashes(), st.sampled_from([0, 1, 4, 10, 33, 64]), st.sampled_from([2, 8, 192]))
def test_groups_are_those_of_comparing_all_with_all(words: Words, distance: int, large: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # Small numbers bring the tiles, and several chunks of pairs, about with few hashes.
        patch.setattr(hamming, "LARGE", large)
        patch.setattr(hamming, "TILE", (4, 8))
        patch.setattr(hamming, "PAIRS", 16)

        found = groups_within(words, distance)

    assert found.tolist() == all_with_all(words, distance)


@settings(max_examples=30, deadline=None)
@given(hashes(), hashes())
def test_the_nearest_is_the_first_of_the_nearest(words: Words, among: Words) -> None:
    if not len(among):
        return

    where, distance = nearest(words, among)

    away = np.bitwise_count(words[:, None] ^ among[None]).sum(axis=2)
    assert where.tolist() == away.argmin(axis=1).tolist()
    assert distance.tolist() == away.min(axis=1).tolist()


def test_many_equal_hashes_are_one_group_without_comparing_them() -> None:
    words = np.random.default_rng(0).integers(0, 2**64, (60_000, 4), dtype=np.uint64)
    words[10_000:] = words[3]

    groups = groups_within(words, 10)

    assert (groups[10_000:] == 3).all()
    assert groups[:10_000].tolist() == list(range(10_000))


def test_a_chain_of_near_hashes_is_one_group() -> None:
    bits = np.tril(np.ones((256, 256), np.uint8))
    words = np.packbits(bits, axis=1).view(np.uint64)

    assert set(groups_within(words, 1).tolist()) == {0}
    assert groups_within(words, 0).tolist() == list(range(256))


def test_hashes_that_agree_in_all_but_a_few_bits_of_one_word_are_compared_all_the_same() -> None:
    words = np.zeros((3_000, 4), np.uint64)
    words[:, 2] = np.random.default_rng(0).integers(0, 2**64, 3_000, dtype=np.uint64)
    words[1_500:, 2] = words[:1_500, 2] ^ np.uint64(0b1011)

    groups = groups_within(words, 3)

    assert groups.tolist() == [*range(1_500), *range(1_500)]
