"""COCO's run-length encoding: column by column, runs of 0 and 1 in turn; its compressed text checked and made here."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.datasets.rows import MaskRow

_ZERO: Final = 48
_BITS: Final = 5
_MORE: Final = 0x20
_SIGN: Final = 0x10
_GROUPS_AT_MOST: Final = 13
"""Groups of five bits in a 64-bit number."""
PIXELS_AT_MOST: Final = 2**28
"""More than images have: a few letters could stand for more pixels than any memory holds."""


def counts_of(text: str) -> list[int]:
    """Return the runs that a compressed text holds; raise ValueError where it is none."""
    counts: list[int] = []
    value = groups = 0
    for letter in text:
        group = ord(letter) - _ZERO
        if not 0 <= group < 2 * _MORE or groups > _GROUPS_AT_MOST:
            message = f"the text of the mask has a wrong letter {letter!r}"
            raise ValueError(message)
        value |= (group & (_MORE - 1)) << (_BITS * groups)
        groups += 1
        if group & _MORE:
            continue
        if group & _SIGN:
            value -= 1 << (_BITS * groups)
        # From the fourth run on, the difference to the one before the last is written.
        counts.append(value + counts[-2] if len(counts) > 2 else value)  # noqa: PLR2004 - see the comment
        value = groups = 0
    if groups:
        message = "the text of the mask ends within a number"
        raise ValueError(message)
    return counts


def text_of(counts: Sequence[int]) -> str:
    """Return the compressed text of some runs."""
    letters: list[str] = []
    for position, count in enumerate(counts):
        value = count - counts[position - 2] if position > 2 else count  # noqa: PLR2004 - as above
        more = True
        while more:
            group = value & (_MORE - 1)
            value >>= _BITS
            more = value != (-1 if group & _SIGN else 0)
            letters.append(chr((group | _MORE if more else group) + _ZERO))
    return "".join(letters)


def mask_row(counts: str | Sequence[int], *, height: int, width: int) -> MaskRow:
    """Return a mask in its compressed form; raise ValueError where the runs do not fill the picture exactly."""
    if not 0 < height * width < PIXELS_AT_MOST or height < 0:
        message = f"a mask of {width} x {height} pixels is none that can be used"
        raise ValueError(message)
    runs = counts_of(counts) if isinstance(counts, str) else list(counts)
    if any(run < 0 for run in runs) or sum(runs) != height * width:
        message = f"the runs of the mask do not add up to {width} x {height} pixels"
        raise ValueError(message)
    return MaskRow(height, width, counts if isinstance(counts, str) else text_of(runs))


def pixels_of(mask: MaskRow) -> NDArray[np.bool_]:
    """Return a mask as an array of height x width."""
    runs = np.array(counts_of(mask.counts), dtype=np.int64)
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(mask.width, mask.height).T


def mask_of(pixels: NDArray[np.bool_]) -> MaskRow:
    """Return the mask of an array of height x width."""
    height, width = pixels.shape
    flat = pixels.T.reshape(-1)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate(([0], changes, [flat.size]))
    runs: Iterable[int] = np.diff(edges).tolist()
    return MaskRow(height, width, text_of([0, *runs] if flat[0] else list(runs)))


def turned_mask(mask: MaskRow, orientation: int) -> MaskRow:
    """Return a mask of a stored picture with an EXIF orientation as one of the displayed picture."""
    pixels = pixels_of(mask)
    turned = {
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.T,
        6: pixels[::-1].T,
        7: pixels[::-1, ::-1].T,
        8: pixels.T[::-1],
    }
    return mask_of(turned.get(orientation, pixels))
