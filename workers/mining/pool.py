"""The pool: all that a strategy may look at, in one order whatever order it came in."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from schemas.mining import StrategyOptions
from storage.datasets.asset_ids import ASSET_BYTES
from storage.datasets.near_duplicates import Hashes
from workers.mining.objects import Objects

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Ranked:
    """The executor's own order: the place of each image, -1 where it has none, and its score."""

    places: Numbers
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class Labeled:
    """What is labeled already."""

    assets: Sequence[bytes] = ()
    class_counts: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """How many boxes there are of each class."""
    hashes: Hashes | None = None
    features: Floats | None = None


@dataclass(frozen=True, kw_only=True)
class Pool:
    """The candidates in ascending order of their ids, and what is known of each; None where nobody told."""

    assets: Sequence[bytes]
    wanted: int
    seed: int = 0
    classes: tuple[str, ...] = ()
    """What the model knows, in the order of the shares of objects."""
    options: StrategyOptions = field(default_factory=StrategyOptions)
    ranked: Ranked | None = None
    objects: Objects | None = None
    features: Floats | None = None
    """Of unit length, or zero."""
    hashes: Hashes | None = None
    labeled: Labeled = Labeled()

    @property
    def ids(self) -> NDArray[np.uint8]:
        """The ids as rows of bytes."""
        return np.frombuffer(b"".join(self.assets), np.uint8).reshape(-1, ASSET_BYTES)


def unit(features: Floats) -> Floats:
    """Return rows of unit length; those that are zero stay so."""
    lengths = np.sqrt(np.einsum("ij,ij->i", features, features, dtype=np.float32))
    return np.asarray(features / np.maximum(lengths, np.float32(1e-12))[:, None], np.float32)
