"""Multinomial logistic regression and ridge regression in numpy alone: nothing heavy to import, same bits each run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tiny_detector.boxes import Floats

Doubles = NDArray[np.float64]
Loss = Callable[[Doubles], tuple[float, Doubles]]

MEMORY = 10  # steps that L-BFGS remembers
ENOUGH_DECREASE, HALVINGS = 1e-4, 20
LEAST_CURVATURE = 1e-12


def softmax(logits: Floats) -> Floats:
    """Return each row as shares that sum to one."""
    # Transposed, since numpy reduces few long rows much faster than many short ones.
    columns = np.ascontiguousarray(logits.T)
    powers = np.exp(columns - columns.max(axis=0))
    return np.ascontiguousarray((powers / powers.sum(axis=0)).T)


def fit_classes(
    features: Floats,
    labels: NDArray[np.int64],
    weights: Floats,
    *,
    start: Floats,
    penalty_inverse: float,
    iterations: int,
) -> Floats:
    """Return coefficients (features + 1 rows, the last the intercept; a column for each class) from a starting point.

    Minimises the weighted log loss plus the squared coefficients / (2 x penalty_inverse); intercepts go free.
    """
    total = float(weights.sum())
    chosen = np.arange(len(labels)), labels

    def loss(point: Doubles) -> tuple[float, Doubles]:
        table = point.reshape(start.shape)
        slopes = table.astype(np.float32)
        shares = softmax(features @ slopes[:-1] + slopes[-1])
        fit = -float((weights * np.log(np.maximum(shares[chosen], 1e-30))).sum(dtype=np.float64))
        shares[chosen] -= 1
        shares *= weights[:, None]
        gradient = np.vstack([features.T @ shares, shares.sum(axis=0, keepdims=True)]).astype(np.float64)
        gradient[:-1] += table[:-1] / penalty_inverse
        return (fit + float((table[:-1] ** 2).sum()) / (2 * penalty_inverse)) / total, gradient.ravel() / total

    return (
        minimised(loss, start.ravel().astype(np.float64), iterations=iterations).reshape(start.shape).astype(np.float32)
    )


def fit_offsets(features: Floats, targets: Floats, *, penalty: float) -> Floats:
    """Return ridge coefficients (features + 1 rows, the last the unpenalised intercept; a column for each target)."""
    mean, middle = features.mean(axis=0), targets.mean(axis=0)
    centred = (features - mean).astype(np.float64)
    squared = centred.T @ centred + penalty * np.eye(features.shape[1])
    slopes = np.linalg.solve(squared, centred.T @ (targets - middle))
    return np.vstack([slopes, middle - mean @ slopes]).astype(np.float32)


def minimised(loss: Loss, point: Doubles, *, iterations: int) -> Doubles:
    """Return where L-BFGS gets from a point (Nocedal and Wright, Numerical Optimization, algorithm 7.5)."""
    pairs: list[tuple[Doubles, Doubles]] = []
    value, gradient = loss(point)
    for _ in range(iterations):
        direction = -_curved(gradient, pairs)
        slope = float(direction @ gradient)
        length = 1.0 if pairs else 1.0 / max(1.0, float(np.linalg.norm(gradient)))
        for _ in range(HALVINGS):
            following, (new_value, new_gradient) = point + length * direction, loss(point + length * direction)
            if new_value <= value + ENOUGH_DECREASE * length * slope:
                break
            length /= 2
        else:
            return point
        moved, bent = following - point, new_gradient - gradient
        if moved @ bent > LEAST_CURVATURE:
            pairs = [*pairs[1 - MEMORY :], (moved, bent)]
        point, value, gradient = following, new_value, new_gradient
    return point


def _curved(gradient: Doubles, pairs: list[tuple[Doubles, Doubles]]) -> Doubles:
    """Return the inverse Hessian, as far as the remembered steps show it, times the gradient."""
    result, shares = gradient.copy(), []
    for moved, bent in reversed(pairs):
        shares.append(float(moved @ result) / float(moved @ bent))
        result -= shares[-1] * bent
    if pairs:
        moved, bent = pairs[-1]
        result *= float(moved @ bent) / float(bent @ bent)
    for (moved, bent), share in zip(pairs, reversed(shares), strict=True):
        result += (share - float(bent @ result) / float(moved @ bent)) * moved
    return result
