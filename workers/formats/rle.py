"""COCO's run-length encoding: masks checked and made, and turned with their picture."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.datasets.mask_pixels import BITS, MORE, SIGN, ZERO, counts_of, pixels_of
from storage.datasets.rows import MaskRow

PIXELS_AT_MOST: Final = 2**28
"""More than images have: a few letters could stand for more pixels than any memory holds."""


def text_of(counts: Sequence[int]) -> str:
    """Return the compressed text of some runs."""
    letters: list[str] = []
    for position, count in enumerate(counts):
        value = count - counts[position - 2] if position > 2 else count  # noqa: PLR2004 - as above
        more = True
        while more:
            group = value & (MORE - 1)
            value >>= BITS
            more = value != (-1 if group & SIGN else 0)
            letters.append(chr((group | MORE if more else group) + ZERO))
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
