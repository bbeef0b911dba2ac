"""Where the annotations of each image stand in a document, in a few bytes each."""

from array import array
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Identity = int | str
NOWHERE: Final = -1
LARGEST: Final = 2**63


class Place(NamedTuple):
    """The position of an annotation in its list, and the bytes at which it starts and ends."""

    position: int
    start: int
    end: int


def identity_of(value: object) -> Identity | None:
    """Return an id as it is compared: a number or a text; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, (int, str)) else None


class Places:
    """Takes annotations in the order of their list, and gives those of an image."""

    def __init__(self) -> None:
        self._starts = array("q")
        self._ends = array("q")
        self._images = array("q")
        self._ids = array("q")
        self._id_positions = array("q")
        self._numbers: dict[Identity, int] = {}
        self._odd_ids: dict[Identity, int] = {}
        self._order: NDArray[np.int64] = np.zeros(0, np.int64)
        self._sorted: NDArray[np.int64] = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self._starts)

    def number(self, image: Identity) -> int:
        """Return the number under which annotations of an image are grouped."""
        return self._numbers.setdefault(image, len(self._numbers))

    def add(self, start: int, end: int, *, image: Identity | None) -> None:
        """Take the next annotation; without an image it only counts."""
        self._starts.append(start)
        self._ends.append(end)
        self._images.append(NOWHERE if image is None else self.number(image))

    def is_new(self, identity: Identity) -> bool:
        """Note the id of the annotation that was added last; return False for one that is known to repeat already."""
        if isinstance(identity, int) and -LARGEST <= identity < LARGEST:
            self._ids.append(identity)
            self._id_positions.append(len(self) - 1)
            return True
        return self._odd_ids.setdefault(identity, len(self)) == len(self)

    def repeated(self) -> Iterator[tuple[int, int]]:
        """Yield the position of each annotation whose id, a number, came before, and the position where that was."""
        ids, positions = np.frombuffer(self._ids, np.int64), np.frombuffer(self._id_positions, np.int64)
        order = np.argsort(ids, kind="stable")
        again = np.flatnonzero(ids[order][1:] == ids[order][:-1]) + 1
        for place in again.tolist():
            yield int(positions[order[place]]), int(positions[order[place - 1]])

    def group(self) -> None:
        """Sort what was taken by image; ``of`` answers from then on."""
        images = np.frombuffer(self._images, np.int64)
        self._order = np.argsort(images, kind="stable")
        self._sorted = images[self._order]

    def of(self, number: int) -> Iterator[Place]:
        """Yield the annotations of an image, in their order."""
        first, last = np.searchsorted(self._sorted, (number, number + 1)).tolist()
        for position in self._order[first:last].tolist():
            yield Place(position, self._starts[position], self._ends[position])

    def strays(self, listed: set[int]) -> Iterator[tuple[Identity, Place]]:
        """Yield the annotations of images that are not among some numbers, with what they name."""
        for identity, number in self._numbers.items():
            if number not in listed:
                yield from ((identity, place) for place in self.of(number))
