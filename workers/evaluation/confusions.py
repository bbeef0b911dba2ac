"""The confusion matrix: how often what is of one class was taken for another."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from schemas.evaluations import Confusions, Figures
from workers.evaluation.across import Remainder

CELLS_AT_MOST: Final = 10_000


def confusions(classes: Sequence[str], figures: Sequence[Figures], left: Remainder) -> Confusions:
    """Return the cells with a count: each class finds its own first, what is left is matched across classes.

    So the diagonal has the true positives, and each row the ground truths of a class.
    """
    background, truths, predictions = len(classes), left.truths, left.predictions
    hits = [one.true_positives for one in figures]
    rows = np.concatenate([np.arange(background), truths.code[left.swapped.truth]])
    columns = np.concatenate([np.arange(background), predictions.code[left.swapped.prediction]])
    counts = np.concatenate([np.array(hits, np.int64), np.ones(len(left.swapped.truth), np.int64)])
    lost, false = truths.astray.copy(), predictions.astray.copy()
    lost[left.swapped.truth], false[left.swapped.prediction] = False, False
    rows = np.concatenate([rows, truths.code[lost], np.full(int(false.sum()), background)])
    columns = np.concatenate([columns, np.full(int(lost.sum()), background), predictions.code[false]])
    counts = np.concatenate([counts, np.ones(len(rows) - len(counts), np.int64)])
    cells, place = np.unique(rows * (background + 1) + columns, return_inverse=True)
    sums = np.bincount(place, weights=counts, minlength=len(cells)).astype(np.int64)
    kept = np.argsort(-sums, kind="stable")[: min(CELLS_AT_MOST, int(np.count_nonzero(sums)))]
    shown = sorted((*divmod(int(cells[cell]), background + 1), int(sums[cell])) for cell in kept)
    return Confusions(classes=tuple(classes), cells=tuple(shown), left_out=int(np.count_nonzero(sums)) - len(shown))
