"""Near-duplicates among many hashes: as photographs have them, and as whoever wants it to take long would."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.datasets.hamming import groups_within
from tests.bench.measuring import peak_mb, timed
from tests.bench.row import Measured, Size

IMAGES: Final = 100_000
DISTANCE: Final = 10
FLIPPED: Final = 3
RUNS: Final = 3
ONES: Final = 0.06


async def usual(_: Path, size: Size) -> Measured:
    """Group hashes, most of which are far from all others."""
    random = np.random.default_rng(0)
    words = random.integers(0, 2**64, (_images(size), 4), dtype=np.uint64)
    few = len(words) // 25
    for copy in range(1, 5):
        words[copy * few : (copy + 1) * few] = words[:few] ^ _flips(random, few)
    return await _measured(words, groups=len(words) - 4 * few)


async def alike(_: Path, size: Size) -> Measured:
    """Group hashes that have hardly a bit set, so that no band tells them apart."""
    random = np.random.default_rng(0)
    bits = random.random((_images(size), 256)) < ONES
    return await _measured(np.packbits(bits, axis=1).view(np.uint64))


def _images(size: Size) -> int:
    return min(IMAGES, size.images // 10)


def _flips(random: np.random.Generator, count: int) -> NDArray[np.uint64]:
    bits = np.zeros((count, 256), np.uint8)
    for _ in range(FLIPPED):
        bits[np.arange(count), random.integers(0, 256, count)] = 1
    return np.packbits(bits, axis=1).view(np.uint64)


async def _measured(words: NDArray[np.uint64], *, groups: int | None = None) -> Measured:
    async def act() -> int:
        return len(np.unique(groups_within(words, DISTANCE)))

    found = await act()
    wrong = "" if groups in {None, found} else f"{found} groups instead of {groups}"
    return Measured(runs=await timed(act, runs=RUNS), peak_mb=peak_mb(), told=f"{found:,} groups", wrong=wrong)
