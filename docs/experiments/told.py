"""The tables of docs/mining.md, out of what the experiment measured."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from docs.experiments.curves import Curve, gains, of


def table(curves: Sequence[Curve]) -> str:
    """Return two tables in Markdown: each strategy, and the first against each of the others."""
    strategies = list(dict.fromkeys(curve.strategy for curve in curves))
    rounds = range(1, len(curves[0].scores))
    head = ["strategy", *(f"round {number}" for number in rounds), "area", "alike picks", "boxes", "of rare classes"]
    rows = [head, ["---"] * len(head), *(_row(of(curves, strategy)) for strategy in strategies)]
    against = [["against", "gain of area", "ahead on", "p (paired t)", "p (Wilcoxon)"], ["---"] * 5]
    against += [_against(curves, strategies[0], other) for other in strategies[1:]]
    return "\n\n".join("\n".join(f"| {' | '.join(row)} |" for row in part) for part in (rows, against))


def _row(curves: Sequence[Curve]) -> list[str]:
    scores = np.array([curve.scores for curve in curves])
    rounds = [_mean(scores[:, number]) for number in range(1, scores.shape[1])]
    alike, boxes, rare = (
        f"{np.mean(values):.1f}"
        for values in ([sum(one.alike) for one in curves], [one.boxes for one in curves], [one.rare for one in curves])
    )
    return [f"`{curves[0].strategy}`", *rounds, _mean(np.array([one.area for one in curves])), alike, boxes, rare]


def _against(curves: Sequence[Curve], strategy: str, other: str) -> list[str]:
    gained = gains(curves, strategy, other)
    paired = stats.ttest_1samp(gained, 0, alternative="greater").pvalue
    ranked = stats.wilcoxon(gained, alternative="greater").pvalue
    ahead = f"{int((gained > 0).sum())} of {len(gained)} seeds"
    return [f"`{other}`", f"{gained.mean():+.3f} ± {_error(gained):.3f}", ahead, f"{paired:.2g}", f"{ranked:.2g}"]


def _mean(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    return f"{values.mean():.3f} ± {_error(values):.3f}"


def _error(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """Return one standard error of a mean."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))
