"""Sample and split: seeded, and the same however a content is cut into segments."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.algebra_parameters import Portion
from schemas.splits import Split
from storage.datasets.content import Content
from storage.datasets.drawing import largest_remainder
from storage.datasets.keyed_hash import keyed_hashes
from storage.datasets.sample import sampled
from storage.datasets.split import dealt
from storage.datasets.strata import strata_of
from tests.storage.datasets.worlds import Known, Parcel, Plain, Shelf, cuts, few_examples, parcels, plains

portions = st.builds(Portion, count=st.integers(1, 12), seed=st.integers(0, 3), stratify=st.booleans()) | st.builds(
    Portion, rate=st.floats(0.01, 1), seed=st.integers(0, 3), stratify=st.booleans()
)


async def draw(shelf: Shelf, content: Content, portion: Portion) -> Content:
    ids = await shelf.ids(content)
    strata = await strata_of(content, ids=ids, library=shelf) if portion.stratify else None
    return sampled(content, portion, ids=ids, strata=strata)


async def deal(shelf: Shelf, content: Content, shares: tuple[float, float, float], *, stratify: bool) -> Content:
    ids = await shelf.ids(content)
    strata = await strata_of(content, ids=ids, library=shelf) if stratify else None
    training, validation, test = shares
    return dealt(content, training=training, validation=validation, test=test, ids=ids, strata=strata)


@few_examples
@given(st.data(), plains(), portions)
async def test_a_sample_is_a_part_of_its_source_whatever_the_segments_are(
    data: st.DataObject, plain: Plain, portion: Portion
) -> None:
    shelf = Shelf()
    contents = [await shelf.content(data.draw(cuts(plain))) for _ in range(2)]

    results = [await shelf.plain(await draw(shelf, content, portion)) for content in contents]

    assert results[0] == results[1]
    assert results[0].items() <= plain.items()
    wanted = portion.count if portion.count is not None else int(len(plain) * (portion.rate or 0) + 1e-9)
    assert len(results[0]) == min(len(plain), wanted)


@few_examples
@given(parcels(), st.integers(1, 8))
async def test_a_smaller_sample_is_a_part_of_a_larger_one(source: Parcel, count: int) -> None:
    shelf = Shelf()
    content = await shelf.content(source)

    smaller, larger = [
        await shelf.plain(await draw(shelf, content, Portion(count=size))) for size in (count, count + 1)
    ]

    assert smaller.keys() <= larger.keys()


@few_examples
@given(
    st.data(),
    plains(),
    st.sampled_from([(0.7, 0.2, 0.1), (0.5, 0.0, 0.0), (0.0, 1.0, 0.0), (0.34, 0.33, 0.33)]),
    st.booleans(),
)
async def test_a_split_is_a_partition_whatever_the_segments_are(
    data: st.DataObject, plain: Plain, shares: tuple[float, float, float], stratify: bool
) -> None:
    shelf = Shelf()
    contents = [await shelf.content(data.draw(cuts(plain))) for _ in range(2)]

    results = [await shelf.plain(await deal(shelf, content, shares, stratify=stratify)) for content in contents]

    assert results[0] == results[1]
    assert {asset: known.layers for asset, known in results[0].items()} == {
        asset: known.layers for asset, known in plain.items()
    }
    if not stratify:
        counts = [sum(known.split is split for known in results[0].values()) for split in list(Split)[:3]]
        assert all(abs(count - share * len(plain)) < 1 for count, share in zip(counts, shares, strict=True))


def test_the_hash_is_the_one_written_down() -> None:
    ids = np.arange(64, dtype=np.uint8).reshape(2, 32)

    found = keyed_hashes(ids, operation="sample", seed=7)

    assert found.tolist() == [_slow_hash(bytes(asset), b"sample:7") for asset in ids]


def _slow_hash(asset: bytes, key: bytes) -> int:

    whole = 2**64 - 1
    state = int.from_bytes(hashlib.sha256(key).digest()[:8], "little")
    for start in range(0, 32, 8):
        state = ((state ^ int.from_bytes(asset[start : start + 8], "little")) + 0x9E3779B97F4A7C15) & whole
        state = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) & whole
        state = ((state ^ state >> 27) * 0x94D049BB133111EB) & whole
        state ^= state >> 31
    return state


@few_examples
@given(st.lists(st.floats(0, 100), min_size=1), st.integers(0, 1000))
def test_shares_by_largest_remainder_add_up(shares: list[float], total: int) -> None:
    counts = largest_remainder(shares, total)

    whole = sum(shares)
    if whole > 1e-6:
        assert sum(counts) == total
        assert all(abs(count - share * total / whole) < 1 + 1e-6 for count, share in zip(counts, shares, strict=True))


@pytest.mark.parametrize(("rate", "drawn"), [(0.29, 29), (0.07, 7), (0.001, 0), (1.0, 100)])
async def test_a_rate_means_what_it_says(rate: float, drawn: int) -> None:
    shelf = Shelf()

    plain: Plain = {bytes([number]) * 32: Known(Split.NONE, {}) for number in range(100)}
    content = await shelf.content(Parcel(plain, dict.fromkeys(plain, 0), apart=False, name="p"))

    result = await draw(shelf, content, Portion(rate=rate))

    assert result.image_count() == drawn
