"""The pixels of a mask: COCO's compressed run-length encoding, column by column, runs of 0 and 1 in turn, read."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.datasets.rows import MaskRow

ZERO: Final = 48
"""The letter that stands for nothing."""
BITS: Final = 5
"""Of a number in each letter."""
MORE: Final = 0x20
SIGN: Final = 0x10
_GROUPS_AT_MOST: Final = 13
"""Groups of five bits in a 64-bit number."""


def counts_of(text: str) -> list[int]:
    """Return the runs that a compressed text holds; raise ValueError where it is none."""
    counts: list[int] = []
    value = groups = 0
    for letter in text:
        group = ord(letter) - ZERO
        if not 0 <= group < 2 * MORE or groups > _GROUPS_AT_MOST:
            message = f"the text of the mask has a wrong letter {letter!r}"
            raise ValueError(message)
        value |= (group & (MORE - 1)) << (BITS * groups)
        groups += 1
        if group & MORE:
            continue
        if group & SIGN:
            value -= 1 << (BITS * groups)
        # From the fourth run on, the difference to the one before the last is written.
        counts.append(value + counts[-2] if len(counts) > 2 else value)  # noqa: PLR2004 - see the comment
        value = groups = 0
    if groups:
        message = "the text of the mask ends within a number"
        raise ValueError(message)
    return counts


def pixels_of(mask: MaskRow) -> NDArray[np.bool_]:
    """Return a mask as an array of height x width."""
    runs = np.array(counts_of(mask.counts), dtype=np.int64)
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(mask.width, mask.height).T
