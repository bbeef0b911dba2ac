"""Choosing: one candidate after the other, each time the one that is wanted most by all parts together."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from workers.mining.part import Part
from workers.mining.pool import Floats, Mask, Pool


class Weighted(NamedTuple):
    """A part, and how much its wish counts."""

    weight: float
    part: Part


class Chosen(NamedTuple):
    """A candidate that was picked, by its place in the pool."""

    place: int
    score: float
    reason: str


def choose(pool: Pool, parts: Sequence[Weighted]) -> list[Chosen]:
    """Return as many candidates as are wanted, the most wanted first; of equally wanted ones the least id.

    What is barred comes after everything else, and only where that is not enough.
    """
    count = min(pool.wanted, len(pool.assets))
    if all(part.is_fixed for _, part in parts):
        return _at_once(parts, count)
    taken, refused = np.zeros(len(pool.assets), np.bool_), np.zeros(len(pool.assets), np.bool_)
    chosen: list[Chosen] = []
    while len(chosen) < count:
        total = _total(parts)
        allowed = ~(taken | refused | _barred(parts, taken))
        is_last_resort = not allowed.any()
        place = int(np.where(~taken if is_last_resort else allowed, total, -np.inf).argmax())
        if not is_last_resort and any(part.refuses(place) for _, part in parts):
            refused[place] = True
            continue
        chosen.append(_chosen(place, parts, total, is_last_resort=is_last_resort))
        taken[place] = True
        total[taken] = -np.inf
        for _, part in parts:
            part.take(place, total)
    return chosen


def _at_once(parts: Sequence[Weighted], count: int) -> list[Chosen]:
    total = _total(parts)
    barred = _barred(parts, np.zeros(len(total), np.bool_))
    order = np.lexsort((-total, barred))[:count]
    return [_chosen(int(place), parts, total, is_last_resort=bool(barred[place])) for place in order]


def _total(parts: Sequence[Weighted]) -> Floats:
    total = np.asarray(parts[0].part.gains * np.float32(parts[0].weight), np.float32)
    for weight, part in parts[1:]:
        total += part.gains * np.float32(weight)
    return total


def _barred(parts: Sequence[Weighted], nothing: Mask) -> Mask:
    barred = np.zeros_like(nothing)
    for _, part in parts:
        if part.barred is not None:
            barred |= part.barred
    return barred


def _chosen(place: int, parts: Sequence[Weighted], total: Floats, *, is_last_resort: bool) -> Chosen:
    if len(parts) == 1:
        score, reason = parts[0].part.score(place), parts[0].part.reason(place)
    else:
        score = float(total[place])
        reason = "; ".join(part.reason(place) for _, part in parts)
    return Chosen(place, score, f"nothing else is left; {reason}" if is_last_resort else reason)
