"""Where the pixels of a mask are, straight from its compressed runs."""

from typing import Final

import numpy as np

from workers.evaluation.matching import Ints

ZERO: Final = 48
BITS: Final = 5
MORE: Final = 0x20
SIGN: Final = 0x10


def pixels_of(counts: bytes) -> Ints:
    """Return the numbers of a mask's pixels, column by column, of COCO's compressed text.

    The mask API sets every pixel of the image for each of its masks, which takes eight times as long.
    """
    ends = np.cumsum(_runs(counts))
    starts, ends = ends[:-1:2], ends[1::2]
    lengths = ends - starts
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))


def _runs(counts: bytes) -> Ints:
    """Return the lengths of the runs, of 0 and 1 in turn."""
    letters = np.frombuffer(counts, np.uint8).astype(np.int64) - ZERO
    last = np.flatnonzero((letters & MORE) == 0)
    first = np.concatenate([np.zeros(1, np.int64), last[:-1] + 1])
    place = np.arange(len(letters)) - np.repeat(first, last - first + 1)
    values = np.add.reduceat((letters & (MORE - 1)) << (BITS * place), first)
    values -= ((letters[last] & SIGN) != 0) * (np.int64(1) << (BITS * (last - first + 1)))
    # From the fourth run on, the difference to the one before the last is written.
    values[1::2], values[2::2] = np.cumsum(values[1::2]), np.cumsum(values[2::2])
    return values
