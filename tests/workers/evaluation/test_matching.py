"""Matching: who takes whom."""

import numpy as np
import pytest

from workers.evaluation import matching
from workers.evaluation.matching import NOTHING, Matches, Objects, match

AT_HALF = np.array([0.5])


def some(*rows: tuple[int, tuple[float, float, float, float], float | bool]) -> Objects:
    """Return objects: image, box, and the score of a prediction or whether a ground truth is a crowd."""
    return Objects.of_boxes(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.float64).reshape(-1, 4),
        np.array([row[2] is True for row in rows], np.bool_),
        np.array([float(row[2]) for row in rows]),
    )


def matched(truths: Objects, predictions: Objects, *, at_most: int = 100) -> Matches:
    return match(truths, predictions, thresholds=AT_HALF, at_most=at_most)


def test_the_surest_prediction_takes_the_ground_truth() -> None:
    truths = some((0, (0, 0, 10, 10), False))

    found = matched(truths, some((0, (0, 0, 10, 10), 0.5), (0, (0, 0, 10, 9), 0.9)))

    assert found.kept.tolist() == [1, 0]
    assert found.met.tolist() == [[0, NOTHING]]
    assert found.overlap.tolist() == [[0.9, 0.0]]


def test_a_crowd_region_is_met_many_times() -> None:
    truths = some((0, (0, 0, 100, 100), True))

    found = matched(truths, some((0, (0, 0, 10, 10), 0.5), (0, (20, 20, 10, 10), 0.9)))

    assert found.met.tolist() == [[0, 0]]


def test_what_is_no_crowd_is_preferred_even_with_less_overlap() -> None:
    truths = some((0, (0, 0, 100, 100), True), (0, (0, 0, 10, 16), False))

    found = matched(truths, some((0, (0, 0, 10, 10), 0.5)))

    assert found.met.tolist() == [[1]]


def test_images_do_not_touch_each_other() -> None:
    truths = some((3, (0, 0, 10, 10), False))

    found = matched(truths, some((2, (0, 0, 10, 10), 0.5), (4, (0, 0, 10, 10), 0.5)))

    assert found.met.tolist() == [[NOTHING, NOTHING]]


def test_only_the_best_of_an_image_count() -> None:
    predictions = some((0, (0, 0, 1, 1), 0.1), (0, (0, 0, 1, 1), 0.3), (0, (0, 0, 1, 1), 0.2), (1, (0, 0, 1, 1), 0.0))

    found = matched(some(), predictions, at_most=2)

    assert found.kept.tolist() == [1, 2, 3]


@pytest.mark.parametrize("side", ["truths", "predictions", "both"])
def test_nothing_on_one_side_is_no_match(side: str) -> None:
    one = some((0, (0, 0, 10, 10), 0.5))
    truths = some() if side in {"truths", "both"} else one
    predictions = some() if side in {"predictions", "both"} else one

    found = matched(truths, predictions)

    assert (found.met == NOTHING).all()
    assert found.met.shape == (1, len(predictions.image))


def test_pieces_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    boxes = np.concatenate([random.integers(0, 20, (300, 2)), random.integers(1, 20, (300, 2))], axis=1).astype(float)
    image = np.sort(random.integers(0, 9, 300))
    objects = Objects.of_boxes(image, boxes, np.zeros(300, np.bool_), random.random(300))
    whole = matched(objects, objects)

    monkeypatch.setattr(matching, "PAIRS_AT_ONCE", 100)
    in_pieces = matched(objects, objects)

    assert (whole.met == in_pieces.met).all()
    assert (whole.overlap == in_pieces.overlap).all()
