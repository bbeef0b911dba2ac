"""What the experiment measured: a line of JSON for each strategy on each seed."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray


class Curve(NamedTuple):
    """What came of one strategy on one seed."""

    seed: int
    strategy: str
    scores: list[float]
    """mAP at IoU 0.5 of the start and after each round."""
    alike: list[int]
    """How many picks of each round look like another of the same round."""
    boxes: int
    """How many boxes were labeled in all rounds."""
    rare: int
    """How many of them are of the five rare classes."""

    @property
    def area(self) -> float:
        """The mean over the rounds: the area under the learning curve, the common start left out."""
        return float(np.mean(self.scores[1:]))


def read(results: Path) -> list[Curve]:
    """Return what was measured so far."""
    lines = results.read_bytes().splitlines() if results.exists() else []
    return [Curve(**orjson.loads(line)) for line in lines]


def keep(results: Path, curve: Curve) -> None:
    """Add a line."""
    with results.open("ab") as file:
        file.write(orjson.dumps(curve._asdict()) + b"\n")


def of(curves: Sequence[Curve], strategy: str) -> list[Curve]:
    """Return the curves of a strategy, by seed."""
    return sorted((curve for curve in curves if curve.strategy == strategy), key=lambda curve: curve.seed)


def gains(curves: Sequence[Curve], strategy: str, over: str) -> NDArray[np.float64]:
    """Return for each seed by how much the area of one strategy is larger than that of another."""
    pairs = zip(of(curves, strategy), of(curves, over), strict=True)
    return np.array([one.area - other.area for one, other in pairs])
