"""Selections have one packed form, and come back from it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Invalid
from storage.datasets.selections import Mask, all_rows, count, difference, intersection, pack, tidied, union, unpack

SEGMENT, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
masks = st.lists(st.booleans()).map(lambda bits: np.array(bits, np.bool_))


@given(masks)
def test_a_selection_comes_back_from_its_packed_form(mask: Mask) -> None:
    packed = pack(mask)

    assert np.array_equal(unpack(packed, rows=len(mask)), mask)
    assert len(packed) == (len(mask) + 7) // 8


def test_the_first_row_is_the_lowest_bit() -> None:
    assert pack(np.array([True] + [False] * 7 + [True])) == b"\x01\x01"


@pytest.mark.parametrize("data", [b"", b"\x00\x00", b"\x08"])
def test_what_is_no_selection_of_so_many_rows_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid, match="3 rows"):
        unpack(data, rows=3)


def test_a_mask_that_was_read_cannot_be_written_to() -> None:
    mask = unpack(b"\x01", rows=3)

    with pytest.raises(ValueError, match="read-only"):
        mask[1] = True


@given(st.data(), st.integers(0, 20))
def test_masks_are_sets_of_rows(data: st.DataObject, rows: int) -> None:
    pairs = st.lists(st.booleans(), min_size=rows, max_size=rows).map(lambda bits: np.array(bits, np.bool_))
    left, right = {SEGMENT: data.draw(pairs)}, {SEGMENT: data.draw(pairs), OTHER: all_rows(3)}

    both, either, less = intersection(left, right), union(left, right), difference(left, right)

    assert np.array_equal(both[SEGMENT] | less[SEGMENT], left[SEGMENT])
    assert not (both[SEGMENT] & less[SEGMENT]).any()
    assert count(either) == count(left) + count(right) - count(both)


def test_what_selects_nothing_is_dropped() -> None:
    assert list(tidied({OTHER: all_rows(1), SEGMENT: np.zeros(2, np.bool_)})) == [OTHER]
