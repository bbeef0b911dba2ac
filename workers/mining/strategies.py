"""Mining strategies: what each has to know of the candidates, and how it begins."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum, auto
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from schemas.errors import Invalid
from schemas.mining import OF_EXECUTOR, Strategies, strategy_fault, weights_of
from storage.datasets.keyed_hash import keyed_hashes
from storage.datasets.near_duplicates import Hashes
from workers.mining.balance import Balanced
from workers.mining.choosing import Chosen, Weighted, choose
from workers.mining.covering import Center
from workers.mining.duplicates import Dedup
from workers.mining.gradients import Gradients
from workers.mining.objects import Objects
from workers.mining.part import Part
from workers.mining.pool import Floats, Pool, Ranked
from workers.mining.probable_cover import ProbableCover
from workers.mining.two_stage import TwoStage
from workers.mining.typical import Typical
from workers.mining.uncertainty import MEASURES, uncertainties

OPERATION: Final = "mine"
BOXES_TOLD: Final = 3


class Need(Enum):
    """What a strategy has to know of the candidates."""

    RANKING = auto()
    """The executor's own order."""
    OBJECTS = auto()
    """What the executor finds on them."""
    FEATURES = auto()
    """Where they lie in a space of features: the executor's embeddings, else made of pixels."""
    HASHES = auto()
    """The perceptual hashes of the import."""


class Strategy(NamedTuple):
    """A way to choose."""

    needs: frozenset[Need]
    begin: Callable[[Pool], Part]


def picks(pool: Pool, strategies: Strategies) -> list[Chosen]:
    """Return the candidates that strategies choose together, the most wanted first. CPU-heavy: call it in a thread.

    It depends on the pool alone: the same in whatever order the candidates came. Raise Invalid for an unknown strategy.
    """
    checked(strategies)
    weights = weights_of(strategies)
    if len(weights) == 1 and weights.keys() <= set(OF_EXECUTOR) and pool.ranked is not None:
        # What the executor left out of its order is not picked.
        pool = replace(pool, wanted=min(pool.wanted, int((pool.ranked.places >= 0).sum())))
    parts = [Weighted(weights[name], STRATEGIES[name].begin(pool)) for name in sorted(weights)]
    return choose(pool, parts)


def needs_of(strategies: Strategies) -> frozenset[Need]:
    """Return what has to be known for a choice of strategies; raise Invalid for an unknown one."""
    checked(strategies)
    return frozenset[Need]().union(*(STRATEGIES[name].needs for name in weights_of(strategies)))


def checked(strategies: Strategies) -> None:
    """Raise Invalid, naming those that are known, if there is no such choice of strategies."""
    if fault := strategy_fault(strategies):
        raise Invalid(fault, step="An executor's own algorithms are chosen in its config.")


def _executor(pool: Pool) -> Part:
    ranked = pool.ranked or Ranked(np.full(len(pool.assets), -1), np.zeros(len(pool.assets)))
    count = max(len(ranked.places), 1)
    gains = np.where(ranked.places >= 0, 1 - ranked.places / count, 0).astype(np.float32)
    return Order(gains, ranked)


class Order(Part):
    """The executor's own order, with its scores."""

    def __init__(self, gains: Floats, ranked: Ranked) -> None:
        super().__init__(gains, self._told, barred=ranked.places < 0)
        self._ranked = ranked

    def score(self, place: int) -> float:
        """Return the score that the executor gave."""
        return float(self._ranked.scores[place])

    def _told(self, place: int) -> str:
        if self._ranked.places[place] < 0:
            return "the executor did not rank it"
        return f"place {self._ranked.places[place] + 1} of the executor's order"


def _random(pool: Pool) -> Part:
    hashes = keyed_hashes(pool.ids, operation=OPERATION, seed=pool.seed)
    # In the order of the whole hashes: as numbers of 32 bits many of them would be equal.
    gains = np.empty(len(hashes), np.float32)
    gains[np.argsort(hashes, kind="stable")] = 1 - np.arange(len(hashes)) / max(len(hashes), 1)
    return Part(gains, lambda _: f"by lot, with the seed {pool.seed}")


def _dedup(pool: Pool) -> Part:
    return Dedup(pool, _hashes(pool), np.ones(len(pool.assets), np.float32))


def _uncertain(pool: Pool, *, measure: str) -> Part:
    objects = _objects(pool)
    gains = uncertainties(pool, objects, MEASURES[measure])
    values = MEASURES[measure](objects.shares)
    ends = np.searchsorted(objects.image, np.arange(len(pool.assets) + 1))

    def told(place: int) -> str:
        boxes = slice(int(ends[place]), int(ends[place + 1]))
        if boxes.start == boxes.stop:
            return "nothing was found on it"
        most = boxes.start + int(values[boxes].argmax())
        likely = np.argsort(-objects.shares[most], kind="stable")[:BOXES_TOLD]
        names = (*pool.classes, "none of the classes")
        listed = ", ".join(f"{names[index]} {objects.shares[most, index]:.2f}" for index in likely)
        return f"its most undecided box of {boxes.stop - boxes.start}: {listed}"

    return Part(gains, told)


def _objects(pool: Pool) -> Objects:
    nothing = np.zeros((0, len(pool.classes) + 1), np.float32)
    return pool.objects or Objects(np.zeros(0, np.int64), nothing)


def _features(pool: Pool) -> Floats:
    return np.zeros((len(pool.assets), 1), np.float32) if pool.features is None else pool.features


def _hashes(pool: Pool) -> Hashes:
    count = len(pool.assets)
    return pool.hashes or Hashes(np.zeros((count, 4), np.uint64), np.zeros(count, np.bool_))


OBJECTS: Final = frozenset({Need.OBJECTS})
FEATURES: Final = frozenset({Need.FEATURES})
HASHES: Final = frozenset({Need.HASHES})

STRATEGIES: Final[Mapping[str, Strategy]] = {
    **{name: Strategy(frozenset({Need.RANKING}), _executor) for name in OF_EXECUTOR},
    "random": Strategy(frozenset(), _random),
    **{name: Strategy(OBJECTS, partial(_uncertain, measure=name)) for name in MEASURES},
    "class_balanced": Strategy(OBJECTS, lambda pool: Balanced(pool, _objects(pool))),
    "kcenter": Strategy(FEATURES, lambda pool: Center(pool, _features(pool))),
    "typiclust": Strategy(FEATURES, lambda pool: Typical(pool, _features(pool))),
    "probcover": Strategy(FEATURES, lambda pool: ProbableCover(pool, _features(pool))),
    "badge": Strategy(OBJECTS | FEATURES, lambda pool: Gradients(pool, _objects(pool), _features(pool))),
    "dedup": Strategy(HASHES, _dedup),
    "two_stage": Strategy(OBJECTS | FEATURES | HASHES, lambda pool: TwoStage(pool, _objects(pool), pool.features)),
}
