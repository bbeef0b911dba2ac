"""What strategies pick, and that it depends on what they are given alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import Invalid
from schemas.mining import KNOWN, OF_YMIR, Aggregate, Strategies, StrategyOptions
from schemas.model_parameters import MineParameters
from storage.datasets.near_duplicates import Hashes
from storage.datasets.rows import AnnotationRow
from workers.mining import picking
from workers.mining.objects import Objects, objects_of
from workers.mining.plan import planned
from workers.mining.pool import Floats, Labeled, Numbers, Pool, Ranked, unit
from workers.mining.strategies import STRATEGIES, picks
from workers.mining.uncertainty import entropies

CLASSES = ("cat", "dog", "cow")


def asset(number: int) -> bytes:
    return number.to_bytes(32, "big")


def objects(boxes: Mapping[int, Sequence[Sequence[float]]]) -> Objects:
    """Return objects by the place of their image, each with its shares of cat, dog, cow and none of them."""
    rows = [(place, shares) for place in sorted(boxes) for shares in boxes[place]]
    image: Numbers = np.array([place for place, _ in rows], np.int64)
    return Objects(image, np.array([shares for _, shares in rows], np.float32).reshape(-1, 4))


def hashes(*words: int) -> Hashes:
    """Return hashes whose first word is given, and whose others are zero."""
    columns = np.zeros((len(words), 4), np.uint64)
    columns[:, 0] = words
    return Hashes(columns, np.ones(len(words), np.bool_))


def line(*places: float) -> Floats:
    """Return features on a line; not of unit length, which makes distances plain."""
    return np.array([[place, 0.0] for place in places], np.float32)


def a_pool(*, count: int, wanted: int = 1, **changes: Any) -> Pool:  # noqa: ANN401 - a change may be of any field
    pool = Pool(assets=[asset(number) for number in range(count)], wanted=wanted, classes=CLASSES)
    return replace(pool, **changes)


def places(pool: Pool, strategies: Strategies) -> list[int]:
    return [pick.place for pick in picks(pool, strategies)]


SURE, TORN, VAGUE = (0.97, 0.01, 0.01, 0.01), (0.48, 0.5, 0.01, 0.01), (0.25, 0.25, 0.25, 0.25)


@pytest.mark.parametrize("strategy", ["entropy", "margin", "least_confidence"])
def test_the_most_undecided_image_comes_first_and_one_with_nothing_on_it_last(strategy: str) -> None:
    pool = a_pool(count=3, wanted=3, objects=objects({1: [SURE], 2: [SURE, VAGUE]}))

    assert places(pool, strategy) == [2, 1, 0]


def test_entropy_is_normalized_so_that_a_crowd_is_not_uncertain() -> None:
    crowded = a_pool(count=2, objects=objects({0: [SURE] * 50, 1: [TORN]}))

    assert places(crowded, "entropy") == [1]
    assert places(replace(crowded, options=StrategyOptions(aggregate=Aggregate.SUM)), "entropy") == [0]
    assert entropies(np.array([VAGUE], np.float32))[0] == pytest.approx(1.0)


def test_a_reason_names_the_most_undecided_box() -> None:
    (pick,) = picks(a_pool(count=1, objects=objects({0: [SURE, TORN]})), "entropy")

    assert pick.reason == "its most undecided box of 2: dog 0.50, cat 0.48, cow 0.01"


def test_class_balance_counts_what_is_picked() -> None:
    cats, dogs = [(0.9, 0, 0, 0.1)], [(0, 0.9, 0, 0.1)]
    labeled = Labeled(class_counts=np.array([1.0, 1.5, 9.0]))
    pool = a_pool(count=4, wanted=3, objects=objects({0: cats, 1: cats, 2: cats, 3: dogs}), labeled=labeled)

    assert places(pool, "class_balanced") == [0, 3, 1]


def test_kcenter_picks_what_is_farthest_from_what_is_labeled_and_picked() -> None:
    labeled = Labeled([asset(99)], features=line(0))
    pool = a_pool(count=4, wanted=3, features=line(0.1, 5, 9, 10), labeled=labeled)

    assert places(pool, "kcenter") == [3, 1, 2]


def test_kcenter_starts_in_the_middle_where_nothing_is_labeled() -> None:
    assert places(a_pool(count=3, wanted=2, features=line(0, 4, 10)), "kcenter") == [1, 2]


def test_kcenter_equals_the_plain_greedy_algorithm() -> None:
    features = np.random.default_rng(3).standard_normal((300, 8)).astype(np.float32)
    labeled = Labeled([asset(999)], features=features[:1])
    pool = a_pool(count=299, wanted=100, features=features[1:], labeled=labeled)

    nearest = ((features[1:] - features[0]) ** 2).sum(axis=1, dtype=np.float64)
    expected = []
    for _ in range(100):
        expected.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, ((features[1:] - features[1:][expected[-1]]) ** 2).sum(axis=1, dtype=np.float64))
    assert places(pool, "kcenter") == expected


def test_typiclust_picks_the_densest_of_each_cluster_those_without_labels_first() -> None:
    features = line(0, 0.1, 0.2, 5, 5.1, 5.3, 5.2)
    labeled = Labeled([asset(99)], features=line(5.1))
    pool = a_pool(count=7, wanted=1, features=features, labeled=labeled, options=StrategyOptions(clusters=2))

    assert places(pool, "typiclust") == [1]


def test_probcover_picks_what_stands_for_most() -> None:
    features = line(0, 1, 1.1, 1.2, 5, 5.1)
    pool = a_pool(count=6, wanted=2, features=features, options=StrategyOptions(radius=0.15))

    assert places(pool, "probcover") == [2, 4]


def test_badge_draws_no_two_alike() -> None:
    features = line(1, 1, 5, 5)
    pool = a_pool(count=4, wanted=2, features=features, objects=objects({n: [TORN] for n in range(4)}))

    assert len({place // 2 for place in places(pool, "badge")}) == 2


def test_dedup_passes_over_what_looks_like_a_pick_or_a_labeled_image() -> None:
    labeled = Labeled([asset(99)], hashes=hashes(0xFFFFFFFF))
    pool = a_pool(count=4, wanted=2, hashes=hashes(0xFFFFFFFE, 0, 1, 0xFFFF), labeled=labeled)
    pool = replace(pool, options=StrategyOptions(alike=4))

    assert places(pool, "dedup") == [1, 3]


def test_near_duplicates_are_picked_when_nothing_else_is_left() -> None:
    last = picks(a_pool(count=2, wanted=2, hashes=hashes(0, 1)), "dedup")[-1]

    assert last.place == 1
    assert last.reason.startswith("nothing else is left")


def test_two_stages_prefer_rare_classes_and_pass_over_what_is_alike() -> None:
    cat, dog = [(0.5, 0.0, 0.0, 0.5)], [(0.0, 0.5, 0.0, 0.5)]
    labeled = Labeled(class_counts=np.array([100.0, 1.0, 1.0]))
    found = objects({0: cat, 1: dog, 2: dog, 3: cat})
    pool = a_pool(count=4, wanted=2, objects=found, hashes=hashes(0, 2**60 - 1, 2**60 - 1, 2**50 - 1), labeled=labeled)

    assert places(replace(pool, options=StrategyOptions(alike=8)), "two_stage") == [1, 0]


def test_two_stages_spread_out_in_the_space_of_features() -> None:
    pool = a_pool(count=3, wanted=2, objects=objects({n: [VAGUE] for n in range(3)}), features=line(0, 0.1, 1))

    assert places(pool, "two_stage") == [0, 2]


def test_an_executors_order_is_kept_and_what_it_left_out_is_not_picked() -> None:
    ranked = Ranked(np.array([1, -1, 0]), np.array([0.25, 0.0, 7.5]))

    chosen = picks(a_pool(count=3, wanted=3, ranked=ranked), "executor")

    assert [(pick.place, pick.score) for pick in chosen] == [(2, 7.5), (0, 0.25)]


def test_weights_decide_between_strategies() -> None:
    found = objects({0: [VAGUE], 1: [SURE]})
    labeled = Labeled([asset(99)], features=line(0))
    pool = a_pool(count=2, objects=found, features=line(0, 2), labeled=labeled)

    assert places(pool, {"entropy": 0.9, "kcenter": 0.1}) == [0]
    assert places(pool, {"entropy": 0.1, "kcenter": 0.9}) == [1]


@pytest.mark.parametrize(
    ("strategies", "told"),
    [
        ("psychic", f"Known: {', '.join(KNOWN)}"),
        ({"entropy": 1.0, "psychic": 1.0}, "'psychic'"),
        ({"auto": 1.0, "random": 1.0}, "chooses a strategy by itself"),
        ({"aldd": 1.0, "executor": 1.0}, "runs once"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(strategies: Strategies, told: str) -> None:
    with pytest.raises(Invalid) as caught:
        picks(a_pool(count=1), strategies)

    assert told in caught.value.detail


def test_every_name_has_a_strategy() -> None:
    assert {*STRATEGIES, "auto"} == set(KNOWN)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_a_pool_of_which_nothing_is_known_is_no_error(strategy: str) -> None:
    assert len(picks(a_pool(count=3, wanted=2), strategy)) <= 2


def test_a_box_listed_for_several_classes_is_one_object() -> None:
    box = (1.0, 2.0, 3.0, 4.0)
    rows = [AnnotationRow("cat", box, confidence=0.5), AnnotationRow("dog", box, confidence=0.25)]

    listed = objects_of([b"a"], {b"a": rows}, {}, classes=CLASSES)
    written = objects_of([b"a"], {b"a": rows}, {b"a": [(0.5, 0.25, 0.125), None]}, classes=CLASSES)

    assert listed.shares.tolist() == [[0.5, 0.25, 0.0, 0.25]]
    assert written.shares.tolist() == [[0.5, 0.25, 0.125, 0.125]]


def test_scores_that_sum_to_more_than_one_are_scaled_down() -> None:
    rows = [AnnotationRow("cat", (0, 0, 1, 1), confidence=0.9), AnnotationRow("dog", (0, 0, 1, 1), confidence=0.9)]

    assert objects_of([b"a"], {b"a": rows}, {}, classes=CLASSES).shares.tolist() == [[0.5, 0.5, 0.0, 0.0]]


def a_random_pool(seed: int, *, count: int = 40, wanted: int = 12) -> Pool:
    rng = np.random.default_rng(seed)
    few = rng.integers(0, 3, (count, 4)).astype(np.float32)  # many ties
    image = np.sort(rng.integers(0, count, 60))
    shares = rng.dirichlet(np.ones(4), 60).astype(np.float32)
    known = rng.random(count) < 0.9
    return a_pool(
        count=count,
        wanted=wanted,
        seed=seed,
        ranked=Ranked(rng.permutation(count), rng.random(count)),
        objects=Objects(image, shares),
        features=unit(few),
        hashes=Hashes(rng.integers(0, 2, (count, 4)).astype(np.uint64), known),
        labeled=Labeled([asset(1_000)], np.array([3.0, 1.0, 7.0]), hashes(1), unit(few[:1])),
    )


@pytest.mark.parametrize("strategy", [*OF_YMIR, "executor"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**20))
def test_picks_repeat_and_are_distinct(strategy: str, seed: int) -> None:
    pool = a_random_pool(seed)

    first, again = picks(pool, strategy), picks(a_random_pool(seed), strategy)

    assert first == again
    assert len({pick.place for pick in first}) == len(first) == pool.wanted
    assert all(np.isfinite(pick.score) for pick in first)


@pytest.mark.parametrize("strategy", [*OF_YMIR, "executor"])
def test_fewer_picks_are_the_first_of_more(strategy: str) -> None:
    more, fewer = a_random_pool(7), a_random_pool(7, wanted=5)

    if strategy in {"typiclust", "probcover", "two_stage"}:  # how much is wanted decides how finely they look
        assert len(places(fewer, strategy)) == 5
    else:
        assert places(more, strategy)[:5] == places(fewer, strategy)


def test_the_nearest_labeled_images_are_told_of_as_many_picks_as_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picking, "PAIRS_AT_MOST", 2)
    monkeypatch.setattr(picking, "COUNTED_AT_MOST", 2)
    labeled = Labeled([asset(99)], hashes=hashes(7))
    pool = a_pool(count=4, wanted=3, hashes=hashes(1, 3, 5, 7), labeled=labeled)
    asked = MineParameters(dataset="d", source="s", top_k=3, strategy="random")

    told = picking.picked(pool, planned(asked, candidates=4, able=(), boxes=0, classes=0), asked)

    near = [f"the nearest labeled image is {asset(99).hex()}" in finding.detail for finding in told.findings]
    assert near == [True, True, False]
    assert told.near_duplicates is None
