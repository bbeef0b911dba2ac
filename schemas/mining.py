"""Mining strategies by name: what those that accept a task know of them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, PositiveInt

from schemas.near_duplicates import Distance
from schemas.schema import Name, Schema

Weight = Annotated[float, Field(gt=0, le=1_000)]
Strategies = Name | Annotated[dict[Name, Weight], Field(min_length=1, max_length=10)]
"""The name of a strategy, or the weights of several."""

AUTO: Final = "auto"
EXECUTOR: Final = "executor"
OF_EXECUTOR: Final = (EXECUTOR, "aldd", "cald")
"""Those that are the executor's own order: of whatever it does unless told otherwise, or by an algorithm of it."""
OF_YMIR: Final = (
    "random",
    "least_confidence",
    "margin",
    "entropy",
    "class_balanced",
    "kcenter",
    "typiclust",
    "probcover",
    "badge",
    "dedup",
    "two_stage",
)
"""Those that choose by what an executor found, by features, or by lot."""
WITHOUT_MODEL: Final = (AUTO, "random", "dedup", "kcenter", "typiclust", "probcover")
KNOWN: Final = (AUTO, *OF_EXECUTOR, *OF_YMIR)


class Aggregate(StrEnum):
    """How an image is as uncertain as the boxes on it."""

    MAX = "max"
    MEAN = "mean"
    SUM = "sum"


class StrategyOptions(Schema):
    """What strategies can be told; each takes what it has a use for."""

    aggregate: Aggregate = Aggregate.MAX
    """``least_confidence``, ``margin``, ``entropy``: what counts of the boxes of an image."""
    alike: Distance = 40
    """``dedup``, ``two_stage``: up to how many different bits of their hashes images are alike; 0: only equal ones."""
    shortlist: Annotated[float, Field(ge=1, le=100)] = 3.0
    """``two_stage``: how many times as many images as are picked are looked at for being different."""
    clusters: Annotated[PositiveInt, Field(le=2_000)] = 500
    """``typiclust``: at most so many clusters."""
    radius: Annotated[float, Field(gt=0, le=2)] | None = None
    """``probcover``: within which distance of unit vectors an image stands for another; by the data if not given."""


def weights_of(strategies: Strategies) -> Mapping[str, float]:
    """Return the weight of each strategy."""
    return {strategies: 1.0} if isinstance(strategies, str) else strategies


def strategy_fault(strategies: Strategies) -> str:
    """Return what is wrong with the choice of strategies; an empty text if nothing is."""
    weights = weights_of(strategies)
    unknown = sorted(weights.keys() - set(KNOWN))
    if unknown:
        named = ", ".join(map(repr, unknown))
        return f"There is no mining strategy {named}. Known: {', '.join(KNOWN)}."
    if len(weights) > 1 and AUTO in weights:
        return f"{AUTO!r} chooses a strategy by itself: it cannot be one of several."
    if len(weights.keys() & set(OF_EXECUTOR)) > 1:
        return f"An executor runs once: only one of {', '.join(OF_EXECUTOR)} can be asked for."
    return ""
