"""The hash by which assets are drawn: of (operation, seed, asset id), and of nothing else."""

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.datasets.asset_ids import words_of

GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
SECOND: Final = np.uint64(0x94D049BB133111EB)
BLOCK: Final = 1 << 15
"""So many ids are hashed at a time that all of it stays in the cache of a core."""


def keyed_hashes(ids: NDArray[np.uint8], *, operation: str, seed: int) -> NDArray[np.uint64]:
    """Return the 64-bit hash of each id, of shape (n,).

    The key is the first eight bytes, little-endian, of SHA-256 of ``operation:seed`` in ASCII. The state starts as the
    key; for each of the id's four little-endian words it becomes ``mix((state ^ word) + 0x9E3779B97F4A7C15)``, where
    mix is the finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    """
    key = hashlib.sha256(f"{operation}:{seed}".encode("ascii")).digest()[:8]
    result = np.full(len(ids), np.frombuffer(key, "<u8")[0], np.uint64)
    for start in range(0, len(ids), BLOCK):
        state = result[start : start + BLOCK]
        for word in words_of(ids[start : start + BLOCK]).T:
            _mix(state, word)
    return result


def _mix(state: NDArray[np.uint64], word: NDArray[np.uint64]) -> None:
    state ^= word
    state += GAMMA
    state ^= state >> np.uint64(30)
    state *= FIRST
    state ^= state >> np.uint64(27)
    state *= SECOND
    state ^= state >> np.uint64(31)
