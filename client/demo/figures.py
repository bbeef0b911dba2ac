"""What the rounds of several seeds amount to: means, standard errors, paired differences."""

from collections.abc import Callable, Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import NamedTuple

from client.demo.loop import MINED, RANDOM, Round, Run

Measure = Callable[[Round], float]


class Mean(NamedTuple):
    """A mean over seeds and its standard error; no error from one seed alone."""

    value: float
    error: float | None

    def __str__(self) -> str:
        return f"{self.value:.3f}" if self.error is None else f"{self.value:.3f} ± {self.error:.3f}"


def ap50(measured: Round) -> float:
    """Return the mAP at IoU 0.5."""
    return measured.evaluation.overall.ap50 or 0.0


def ap(measured: Round) -> float:
    """Return the mAP at IoU 0.5:0.95."""
    return measured.evaluation.overall.ap or 0.0


def mean(values: Sequence[float]) -> Mean:
    """Return the mean of one value for each seed."""
    return Mean(fmean(values), stdev(values) / sqrt(len(values)) if len(values) > 1 else None)


def curve(runs: Sequence[Run], arm: str, measure: Measure) -> list[Mean]:
    """Return the mean over seeds after each round of an arm, from the common start."""
    return [mean([measure(measured) for measured in same]) for same in zip(*(run.of(arm) for run in runs), strict=True)]


def gains(runs: Sequence[Run], measure: Measure) -> list[float]:
    """Return, for each seed, by how much mining beat random on average over the rounds (same start, same budget)."""
    return [_area(run.of(MINED), measure) - _area(run.of(RANDOM), measure) for run in runs]


def verdict(runs: Sequence[Run]) -> str:
    """Return in one sentence what was measured, and no more than that."""
    each = gains(runs, ap50)
    won, gain = sum(gain > 0 for gain in each), mean(each)
    told = f"mining against random at the same number of labels: mAP@0.5 {gain.value:+.3f} on average over the rounds"
    seeds = f"ahead on {won} of {len(each)} seeds"
    if gain.error is None:
        return f"{told}, on a single seed, which proves nothing."
    if abs(gain.value) < 2 * gain.error:
        return f"{told} ± {gain.error:.3f}, {seeds}: too close to call with {len(each)} seeds."
    return f"{told} ± {gain.error:.3f}, {seeds}."


def _area(rounds: Sequence[Round], measure: Measure) -> float:
    return fmean(measure(measured) for measured in rounds if measured.number > 0)
