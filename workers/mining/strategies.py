"""Mining strategies: which candidates to pick, from what the executor said of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from schemas.errors import Invalid
from storage.datasets.asset_ids import ASSET_BYTES
from storage.datasets.keyed_hash import keyed_hashes
from workers.executors.mining_result import Pick

OPERATION: Final = "mine"


class Candidates(NamedTuple):
    """What a strategy chooses from."""

    assets: Sequence[bytes]
    ranking: Sequence[Pick]
    """The executor's own order, best first; empty where the strategy does not ask for it."""
    seed: int


class Strategy(NamedTuple):
    """A way to choose."""

    needs_executor: bool
    """Whether the executor has to score the candidates first."""
    rank: Callable[[Candidates], Sequence[Pick]]
    """Returns candidates, the most wanted first."""


def strategy_of(name: str) -> Strategy:
    """Return the strategy of a name; raise Invalid listing those that are known."""
    if name not in STRATEGIES:
        raise Invalid(
            f"There is no mining strategy {name!r}.",
            step=f"Use one of: {', '.join(STRATEGIES)}. An executor's own algorithms are chosen in its config.",
        )
    return STRATEGIES[name]


def random_picks(candidates: Candidates) -> Sequence[Pick]:
    """Return all candidates in the order of a seeded hash of their ids; the score falls from 1 to 0 with the hash."""
    if not candidates.assets:
        return ()
    ids = np.frombuffer(b"".join(sorted(candidates.assets)), np.uint8).reshape(-1, ASSET_BYTES)
    hashes = keyed_hashes(ids, operation=OPERATION, seed=candidates.seed)
    order = np.argsort(hashes, kind="stable")
    return [Pick(bytes(ids[place]), 1.0 - float(hashes[place]) / 2.0**64) for place in order]


def executor_picks(candidates: Candidates) -> Sequence[Pick]:
    """Return the candidates as the executor ranked them."""
    return candidates.ranking


STRATEGIES: Final[Mapping[str, Strategy]] = {
    "executor": Strategy(needs_executor=True, rank=executor_picks),
    "random": Strategy(needs_executor=False, rank=random_picks),
}
