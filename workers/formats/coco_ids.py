"""The ids of a COCO document: numbers or texts, compared as numbers; those that come twice."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.formats.coco_places import Identity, identity_of
from workers.formats.runs import Runs

NONE: Final = -(2**63)
"""The key of what has no id."""
LARGEST: Final = 2**62
SHARES: Final = 1 << 20

Keys = NDArray[np.int64]


class Identities:
    """Numbers for ids: an id that is a number of usual size is its own."""

    def __init__(self) -> None:
        self._odd: dict[Identity, int] = {}

    def keys(self, values: Sequence[Any]) -> Keys:
        """Return the numbers of some ids, ``NONE`` for what can be no id."""
        if set(map(type, values)) == {int} and min(values) > -LARGEST and max(values) < LARGEST:
            return np.array(values, np.int64)
        return np.array([self._key(identity_of(value)) for value in values], np.int64)

    def of(self, key: int) -> Identity:
        """Return the id that has a number."""
        return key if key < LARGEST else list(self._odd)[key - LARGEST]

    def _key(self, identity: Identity | None) -> int:
        if identity is None:
            return NONE
        if isinstance(identity, int) and -LARGEST < identity < LARGEST:
            return identity
        return self._odd.setdefault(identity, LARGEST + len(self._odd))


class Repeated:
    """Finds which of many keys come twice; while each is greater than the one before, nothing need be looked at."""

    def __init__(self, *, scratch: Path | None) -> None:
        self._runs = Runs(3, scratch=scratch)
        self._last = NONE
        self._rise = True

    def add(self, keys: Keys, position: int) -> None:
        """Take the keys of elements that follow each other from a position; ``NONE`` repeats nothing."""
        there = np.flatnonzero(keys != NONE)
        if not len(there):
            return
        keys = keys[there]
        self._rise = self._rise and self._last < keys[0] and bool((np.diff(keys) > 0).all())
        self._last = int(keys[-1])
        self._runs.add(np.stack([keys % SHARES, keys, there + position], axis=1))

    def again(self) -> Iterator[tuple[int, int, int]]:
        """Yield the position of each element whose key came before, the position where that was, and the key."""
        if self._rise:
            return
        for share in self._runs.in_order(SHARES):
            rows = share[np.lexsort((share[:, 2], share[:, 1]))]
            same = np.flatnonzero(rows[1:, 1] == rows[:-1, 1]) + 1
            yield from zip(rows[same, 2].tolist(), rows[same - 1, 2].tolist(), rows[same, 1].tolist(), strict=True)
