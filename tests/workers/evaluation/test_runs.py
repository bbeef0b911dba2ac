"""Where the pixels of a mask are."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pycocotools import mask

from workers.evaluation.runs import pixels_of

shapes = st.tuples(st.integers(1, 40), st.integers(1, 300))


@settings(deadline=None)
@given(arrays(np.bool_, shapes))
def test_they_are_those_that_were_set(pixels: NDArray[np.bool_]) -> None:
    counts = mask.encode(np.asfortranarray(pixels, np.uint8))["counts"]

    assert pixels_of(counts).tolist() == np.flatnonzero(pixels.ravel(order="F")).tolist()


def test_an_empty_mask_has_none_and_a_full_one_all() -> None:
    empty, full = np.zeros((480, 640), np.uint8, order="F"), np.ones((480, 640), np.uint8, order="F")

    assert pixels_of(mask.encode(empty)["counts"]).tolist() == []
    assert len(pixels_of(mask.encode(full)["counts"])) == 480 * 640
