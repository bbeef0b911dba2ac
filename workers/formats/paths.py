"""Lists of paths that lie in a file, so that millions of them need little memory; and finding paths by a key."""

import os
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, overload

import numpy as np

from workers.formats.nameless import Nameless

BLOCK: Final = 128
_END: Final = b"\0"


class Paths(Sequence[str]):
    """Paths in a fixed order, in a file without a name."""

    def __init__(self, paths: Iterable[str], *, scratch: Path | None = None) -> None:
        """Write them below ``scratch``, else where the system has temporary files."""
        self._file = Nameless(scratch)
        self._starts = array("Q", [0])
        self._open: list[str] = []
        self._last: tuple[int, list[str]] = (-1, [])
        for path in paths:
            self.append(path)

    def append(self, path: str) -> None:
        """Put a path at the end."""
        self._open.append(path)
        if len(self._open) == BLOCK:
            data = _END.join(map(os.fsencode, self._open))
            self._file.write(data)
            self._starts.append(self._starts[-1] + len(data))
            self._open = []

    def __len__(self) -> int:
        """Return how many there are."""
        return BLOCK * (len(self._starts) - 1) + len(self._open)

    @overload
    def __getitem__(self, position: int) -> str: ...

    @overload
    def __getitem__(self, position: slice) -> list[str]: ...

    def __getitem__(self, position: int | slice) -> str | list[str]:
        """Return one path, or some."""
        if isinstance(position, slice):
            return [self[one] for one in range(*position.indices(len(self)))]
        if not -len(self) <= position < len(self):
            raise IndexError(position)
        number, place = divmod(position % len(self), BLOCK)
        last, block = self._last
        if number != last:
            block = self._block(number)
            if block is not self._open:
                self._last = number, block
        return block[place]

    def __iter__(self) -> Iterator[str]:
        """Yield all of them."""
        for number in range(len(self._starts) - 1):
            yield from self._block(number)
        yield from self._open

    def _block(self, number: int) -> list[str]:
        if number == len(self._starts) - 1:
            return self._open
        start, end = self._starts[number : number + 2]
        data = self._file.read(start, end - start)
        return list(map(os.fsdecode, data.split(_END)))


class Keyed:
    """Finds the positions of paths by a key, in 12 bytes for each."""

    def __init__(self, paths: Sequence[str], key: Callable[[str], str]) -> None:
        self._paths = paths
        self._key = key
        hashes = np.fromiter((hash(key(path)) for path in paths), np.int64, len(paths))
        self._order = np.argsort(hashes, kind="stable").astype(np.int32)
        self._hashes: Sequence[int] = hashes[self._order].data

    def find(self, key: str) -> list[int]:
        """Return the positions of the paths that have a key, in their order."""
        wanted = hash(key)
        first = bisect_left(self._hashes, wanted)
        if first == len(self._hashes) or self._hashes[first] != wanted:
            return []
        last = bisect_right(self._hashes, wanted, lo=first)
        return [place for place in self._order[first:last].tolist() if self._key(self._paths[place]) == key]
