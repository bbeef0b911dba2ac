"""COCO's run-length encoding."""

from contextlib import suppress

import numpy as np
import pytest
from faster_coco_eval.core import mask as reference
from hypothesis import given
from hypothesis import strategies as st

from storage.datasets.mask_pixels import counts_of, pixels_of
from storage.datasets.rows import MaskRow
from workers.formats.rle import mask_of, mask_row, text_of

pictures = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda shape: st.lists(st.booleans(), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]).map(
        lambda bits: np.array(bits).reshape(shape)
    )
)


@given(pictures)
def test_a_mask_is_what_the_reference_makes_of_it(picture: np.ndarray) -> None:
    mask = mask_of(picture)

    expected = reference.encode(np.asfortranarray(picture.astype(np.uint8)))
    assert (mask.height, mask.width) == tuple(expected["size"])
    assert mask.counts == expected["counts"].decode()
    assert (pixels_of(mask) == picture).all()


@given(st.lists(st.integers(0, 2**31), min_size=1, max_size=20))
def test_runs_survive_their_text(runs: list[int]) -> None:
    assert counts_of(text_of(runs)) == runs


def test_uncompressed_runs_become_compressed_ones() -> None:
    assert mask_row([1, 2, 3], height=2, width=3) == MaskRow(2, 3, text_of([1, 2, 3]))


@pytest.mark.parametrize("counts", [[1, 2], [7, -1], [0] * 3, "", "~~~", "P", text_of([1, 2])])
def test_runs_that_do_not_fill_the_picture_are_refused(counts: str | list[int]) -> None:
    with pytest.raises(ValueError, match="mask"):
        mask_row(counts, height=2, width=3)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert pixels_of(mask_row(text, height=3, width=4)).shape == (3, 4)


def test_a_few_letters_that_stand_for_more_pixels_than_images_have_are_refused() -> None:
    side = 46_000

    with pytest.raises(ValueError, match=f"{side} x {side} pixels is none that can be used"):
        mask_row([5, 10, side * side - 15], height=side, width=side)
