"""What is known of images that were inspected before, so that the same bytes need not be decoded again."""

import mmap
import struct
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from storage.datasets.rows import ImageRow

PREFIX_BYTES: Final = 8
RECORD: Final = np.dtype(
    [
        ("asset", "V32"),
        ("perceptual_hash", "V32"),
        ("size", "<i8"),
        ("width", "<i4"),
        ("height", "<i4"),
        ("orientation", "i1"),
        ("channels", "i1"),
        ("media_type", "S14"),
    ]
)
_RECORD: Final = struct.Struct("<32s32sqiibb14s")

Find = Callable[[bytes], ImageRow | None]


class Known(NamedTuple):
    """Files of what is known; a value that other processes can be sent."""

    files: tuple[Path, ...] = ()

    def find(self, asset: bytes) -> ImageRow | None:
        """Return what is known of an asset, without a file name; None if it was never inspected."""
        for path in self.files:
            # One that became part of another meanwhile is as good as unknown.
            with suppress(FileNotFoundError):
                found = _opened(path).find(asset)
                if found is not None:
                    return found
        return None


def write_known(path: Path, records: NDArray[np.void]) -> None:
    """Write what is known of some assets, sorted by their first eight bytes: these as numbers, then the records."""
    prefixes = prefixes_of(records)
    order = np.argsort(prefixes, kind="stable")
    with path.open("xb") as file:
        file.write(prefixes[order].tobytes())
        file.write(records[order].tobytes())


def read_known(path: Path) -> NDArray[np.void]:
    """Return all records of a file."""
    data = path.read_bytes()
    count = len(data) // (PREFIX_BYTES + RECORD.itemsize)
    return np.frombuffer(data, RECORD, count, offset=PREFIX_BYTES * count)


def prefixes_of(records: NDArray[np.void]) -> NDArray[np.uint64]:
    """Return the first eight bytes of each asset as a number."""
    assets = np.ascontiguousarray(records["asset"]).view(np.uint8).reshape(-1, 32)
    return np.ascontiguousarray(assets[:, :PREFIX_BYTES]).view("<u8").ravel()


class _KnownFile:
    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._count = len(self._data) // (PREFIX_BYTES + _RECORD.size)
        self._prefixes: Sequence[int] = memoryview(self._data)[: PREFIX_BYTES * self._count].cast("Q")

    def find(self, asset: bytes) -> ImageRow | None:
        prefix = int.from_bytes(asset[:PREFIX_BYTES], "little")
        position = bisect_left(self._prefixes, prefix)
        while position < self._count and self._prefixes[position] == prefix:
            start = PREFIX_BYTES * self._count + _RECORD.size * position
            found, perceptual_hash, size, width, height, turn, channels, kind = _RECORD.unpack_from(self._data, start)
            if found == asset:
                media_type = kind.rstrip(b"\0").decode()
                return ImageRow(asset, "", width, height, turn, channels, size, media_type, perceptual_hash)
            position += 1
        return None


@lru_cache(maxsize=64)
def _opened(path: Path) -> _KnownFile:
    # A file is written once and never changed; one that was removed stays readable while it is open.
    return _KnownFile(path)
