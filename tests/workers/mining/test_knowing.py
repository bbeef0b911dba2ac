"""In whatever order candidates come, the pool of them is the same."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.mining import Strategies
from schemas.model_parameters import MineParameters
from storage.datasets.content import Content
from storage.datasets.near_duplicates import Hashes
from workers.mining.knowing import Features, pool_in_order
from workers.mining.labeled import Known
from workers.mining.strategies import picks

COUNT = 24
ASSETS = [bytes([number * 7 % 251]) * 32 for number in range(COUNT)]
RANDOM = np.random.default_rng(1)
WORDS = RANDOM.integers(0, 4, (COUNT, 4)).astype(np.uint64)
MATRIX = RANDOM.integers(0, 4, (COUNT, 3)).astype(np.float32)
NOTHING = Hashes(np.zeros((0, 4), np.uint64), np.zeros(0, np.bool_))


def told(order: Sequence[int], strategy: Strategies) -> list[tuple[bytes, float, str]]:
    """Return the picks, their scores and reasons, of candidates that come in an order."""
    asked = MineParameters.model_validate({"dataset": "d", "source": "s", "top_k": 9, "strategy": strategy})
    assets, hashes = [ASSETS[place] for place in order], Hashes(WORDS[list(order)], np.ones(COUNT, np.bool_))
    pool = pool_in_order(assets, hashes, None, Known(Content(), (), NOTHING, Counter()), asked, ())
    features = Features({asset: row for row, asset in enumerate(assets)}, MATRIX[list(order)])
    full = features.given_to(pool)
    return [(full.assets[pick.place], pick.score, pick.reason) for pick in picks(full, strategy)]


@pytest.mark.parametrize(
    "strategy", ["random", "dedup", "kcenter", "typiclust", "probcover", {"dedup": 1, "random": 2}]
)
@given(order=st.permutations(range(COUNT)))
def test_the_order_of_the_candidates_changes_nothing(strategy: Strategies, order: list[int]) -> None:
    assert told(order, strategy) == told(range(COUNT), strategy)
