"""Drawing assets: those with the smallest hashes, of all or of each stratum."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.schema import Digest
from storage.datasets.content import Content
from storage.datasets.keyed_hash import keyed_hashes
from storage.datasets.restriction import Ids
from storage.datasets.selections import Mask, Masks, frozen

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Urn:
    """The images of a content behind one another, in order of (segment, row), with their hashes."""

    masks: Masks
    segments: tuple[Digest, ...]
    ids: Ids
    hashes: NDArray[np.uint64]

    @classmethod
    def of(cls, content: Content, *, ids: Ids, operation: str, seed: int) -> "Urn":
        """Return all images of a content, to be drawn from for some operation."""
        masks = content.image_masks()
        segments = tuple(sorted(masks))
        hashes = [
            keyed_hashes(
                ids[segment].ids if masks[segment].all() else ids[segment].ids[masks[segment]],
                operation=operation,
                seed=seed,
            )
            for segment in segments
        ]
        return cls(masks, segments, ids, np.concatenate(hashes) if hashes else np.zeros(0, np.uint64))

    def smallest(self, count: int, among: Numbers | None = None) -> Numbers:
        """Return the places of the images with the smallest hashes; between equal hashes the smaller id decides."""
        hashes = self.hashes if among is None else self.hashes[among]
        if count >= len(hashes):
            chosen = np.arange(len(hashes))
        elif count <= 0:
            chosen = np.zeros(0, np.int64)
        else:
            last = np.partition(hashes, count - 1)[count - 1]
            below, tied = np.flatnonzero(hashes < last), np.flatnonzero(hashes == last)
            if len(tied) > 1:
                tied = tied[self.by_id(tied if among is None else among[tied])]
            chosen = np.concatenate([below, tied[: count - len(below)]])
        return chosen if among is None else among[chosen]

    def ordered(self, among: Numbers) -> Numbers:
        """Return places in order of their hashes, equal ones in order of their ids."""
        order = among[np.argsort(self.hashes[among], kind="stable")]
        hashes = self.hashes[order]
        if len(order) > 1 and (hashes[1:] == hashes[:-1]).any():
            order = among[self.by_id(among)]
            order = order[np.argsort(self.hashes[order], kind="stable")]
        return order

    def masks_of(self, places: Numbers) -> dict[Digest, Mask]:
        """Return the images at some places as masks by segment."""
        drawn = np.zeros(len(self.hashes), np.bool_)
        drawn[places] = True
        result: dict[Digest, Mask] = {}
        start = 0
        for segment in self.segments:
            mask = np.zeros_like(self.masks[segment])
            end = start + int(np.count_nonzero(self.masks[segment]))
            mask[self.masks[segment]] = drawn[start:end]
            result[segment] = frozen(mask)
            start = end
        return result

    def by_id(self, places: Numbers) -> Numbers:
        """Return the order of places by their ids."""
        parts = [self.ids[segment].ids[self.masks[segment]] for segment in self.segments]
        raw = np.concatenate(parts)[places]
        return np.lexsort(np.ascontiguousarray(raw).view(">u8").T[::-1])


def largest_remainder(shares: Sequence[float], total: int) -> list[int]:
    """Return whole numbers in proportion to shares that add up to a total (Hamilton's method; ties: the earlier)."""
    whole = sum(shares)
    exact = [share * total / whole if whole else 0.0 for share in shares]
    counts = [int(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda place: (counts[place] - exact[place], place))
    for place in by_remainder[: total - sum(counts)]:
        counts[place] += 1
    return counts
