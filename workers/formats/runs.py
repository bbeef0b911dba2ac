"""Rows of numbers that are written as they come and read again in order of one of them, in little memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workers.formats.nameless import Nameless

Rows = NDArray[np.int64]
KEPT: Final = 1 << 16
"""So many rows are held at a time, about, when they are read in order."""
SHARES_AT_MOST: Final = 64


class Runs:
    """Rows of int64, the first number of each being its key; kept in files without names."""

    def __init__(self, width: int, *, scratch: Path | None) -> None:
        self._width = width
        self._scratch = scratch
        self._file = Nameless(scratch)
        self._rows = 0

    def __len__(self) -> int:
        """Return how many rows there are."""
        return self._rows

    def add(self, rows: Rows) -> None:
        """Put rows at the end."""
        self._file.write(np.ascontiguousarray(rows, dtype=np.int64).tobytes())
        self._rows += len(rows)

    def blocks(self) -> Iterator[Rows]:
        """Yield all rows as they came, some at a time."""
        for start in range(0, self._rows, KEPT):
            yield self._read(start, min(KEPT, self._rows - start))

    def in_order(self, keys: int) -> Iterator[Rows]:
        """Yield the rows whose keys are from 0 to below ``keys``, sorted by key, those of one key as they came.

        All rows of a key come together.
        """
        shares = max(1, min(SHARES_AT_MOST, keys, -(-self._rows // KEPT)))
        size = -(-max(keys, 1) // shares)
        parts = [Runs(self._width, scratch=self._scratch) for _ in range(shares)] if shares > 1 else [self]
        if shares > 1:
            self._distribute(parts, size)
        for part in parts:
            rows = np.concatenate([np.zeros((0, self._width), np.int64), *part.blocks()])
            rows = rows[(rows[:, 0] >= 0) & (rows[:, 0] < keys)]
            yield rows[np.argsort(rows[:, 0], kind="stable")]

    def _distribute(self, parts: "list[Runs]", size: int) -> None:
        for rows in self.blocks():
            share = rows[:, 0] // size
            share[(share < 0) | (share >= len(parts))] = len(parts)
            order = np.argsort(share, kind="stable")
            ends = np.searchsorted(share[order], np.arange(len(parts) + 1))
            for number, part in enumerate(parts):
                part.add(rows[order[ends[number] : ends[number + 1]]])

    def _read(self, start: int, count: int) -> Rows:
        width = 8 * self._width
        return np.frombuffer(self._file.read(width * start, width * count), np.int64).reshape(-1, self._width)
