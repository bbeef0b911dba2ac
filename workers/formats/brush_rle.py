"""Label Studio's run-length encoding of brush strokes: packed bits of an RGBA picture, whose alpha is the mask.

The packing is that of thi.ng/rle-pack: the number of words in 32 bits, their size in 5 bits (minus 1), four sizes of
counts in 4 bits each (minus 1); then a bit that tells repeats from words, two that choose the size of the count, the
count (minus 1), and one word or as many as counted.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.datasets.mask_pixels import pixels_of
from storage.datasets.rows import MaskRow
from workers.formats.rle import PIXELS_AT_MOST, mask_of

CHANNELS: Final = 4
ALPHA: Final = 3
WORD: Final = 8
SIZES: Final = (3, 4, 8, 16)
HEADER: Final = 32 + 5 + 4 * 4
PAINTED: Final = 128
"""Alpha from which a pixel counts as painted: what lies below is the edge of a smoothed stroke."""


def brush_mask(rle: Sequence[int], *, width: int, height: int) -> MaskRow:
    """Return the mask of a brush's ``rle``; raise ValueError where it is none for a picture of that size."""
    if not 0 < width * height < PIXELS_AT_MOST:
        message = f"a mask of {width} x {height} pixels is none that can be used"
        raise ValueError(message)
    alpha = _Reader(rle).alpha(width * height)
    return mask_of(alpha.reshape(height, width) >= PAINTED)


def brush_rle(mask: MaskRow) -> list[int]:
    """Return the ``rle`` of a mask: opaque white where it is set, nothing elsewhere."""
    flat = pixels_of(mask).reshape(-1)
    edges = [0, *(np.flatnonzero(flat[1:] != flat[:-1]) + 1).tolist(), flat.size]
    bits = [f"{CHANNELS * flat.size:032b}{WORD - 1:05b}", *(f"{size - 1:04b}" for size in SIZES)]
    for start, end in pairwise(edges):
        word = "11111111" if flat[start] else "00000000"
        length = CHANNELS * (end - start)
        while length:
            some = min(length, 1 << SIZES[-1])
            choice = next(choice for choice, size in enumerate(SIZES) if some <= 1 << size)
            bits.append(f"1{choice:02b}{some - 1:0{SIZES[choice]}b}{word}")
            length -= some
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


class _Reader:
    def __init__(self, rle: Sequence[int]) -> None:
        try:
            data = bytes(rle)
        except (TypeError, ValueError):
            message = "it is no list of bytes"
            raise ValueError(message) from None
        self._bits = np.unpackbits(np.frombuffer(data, np.uint8))
        # Numbers are read from text, many words at once from the array.
        self._text = (self._bits + ord("0")).tobytes()
        self._place = 0

    def alpha(self, pixels: int) -> NDArray[np.uint8]:
        words = self._number(32)
        size = self._number(5) + 1
        counts = [self._number(4) + 1 for _ in range(4)]
        if words != CHANNELS * pixels or size != WORD:
            message = f"it has {words} words of {size} bits, not {CHANNELS * pixels} of {WORD}"
            raise ValueError(message)
        found = np.zeros(pixels, np.uint8)
        done = 0
        while done < words:
            repeats = self._number(1)
            end = done + 1 + self._number(counts[self._number(2)])
            if end > words:
                message = "it has more words than it says"
                raise ValueError(message)
            # The first word of the run that is an alpha.
            first = -(-(done - ALPHA) // CHANNELS)
            last = -(-(end - ALPHA) // CHANNELS)
            if repeats:
                found[first:last] = self._number(WORD)
            else:
                found[first:last] = self._words(end - done)[CHANNELS * first + ALPHA - done :: CHANNELS]
            done = end
        return found

    def _number(self, bits: int) -> int:
        end = self._place + bits
        if end > len(self._text):
            message = "it ends too early"
            raise ValueError(message)
        value = int(self._text[self._place : end], 2)
        self._place = end
        return value

    def _words(self, count: int) -> NDArray[np.uint8]:
        end = self._place + WORD * count
        if end > len(self._bits):
            message = "it ends too early"
            raise ValueError(message)
        words = np.packbits(self._bits[self._place : end])
        self._place = end
        return words
