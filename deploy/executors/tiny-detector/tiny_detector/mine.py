"""Which candidates would teach most if they were labelled: an order over all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tiny_detector.boxes import Floats
from tiny_detector.infer import View, entropies
from tiny_detector.settings import MiningSettings

MOST_COMPARED = 5000  # images that are kept apart from each other; further ones follow by score alone

Ranking = list[tuple[int, float]]


def at_random(count: int, *, seed: int) -> Ranking:
    """Return the indexes in an order drawn by a seed."""
    scores = np.random.default_rng(seed).random(count)
    return _descending(scores)


def by_entropy(views: Sequence[View]) -> Ranking:
    """Return the indexes by the entropy of each image's most undecided box, after suppression."""
    return _descending(np.array([entropies(view.probabilities).max(initial=0) for view in views]))


def by_two_stages(views: Sequence[View], labelled: Sequence[int], settings: MiningSettings) -> Ranking:
    """Return the indexes with the most informative and least alike first.

    First every image is scored by its undecided boxes, those of rarely labelled classes counting more, and images
    much like a better one go to the end. Then the best of the others, the shortlist, are put in the order in which
    each is far, in its boxes' features, from those before it. Scores say the place in this order, from 1 down to 0.
    """
    scores = np.array([_class_weighted(view.probabilities, labelled) for view in views])
    fingerprints = np.array([view.fingerprint for view in views])
    ranked = np.argsort(-scores, kind="stable")
    apart, alike = _told_apart(ranked, fingerprints, least_bits=settings.duplicate_bits)
    shortlist = apart[: settings.shortlist]
    embeddings = np.array([views[index].embedding for index in shortlist])
    spread = [shortlist[place] for place in _spread(embeddings, scores[shortlist])]
    order = [*spread, *apart[settings.shortlist :], *alike]
    return [(index, 1 - place / len(order)) for place, index in enumerate(order)]


def _descending(scores: NDArray[np.floating]) -> Ranking:
    return [(int(index), float(scores[index])) for index in np.argsort(-scores, kind="stable")]


def _class_weighted(probabilities: Floats, labelled: Sequence[int]) -> float:
    counts = np.maximum(np.array(labelled), 1)
    rarity = np.sqrt(counts.max() / counts)
    return float((entropies(probabilities) * (probabilities[:, :-1] @ rarity)).sum())


def _told_apart(
    ranked: NDArray[np.int64], fingerprints: NDArray[np.bool_], *, least_bits: int
) -> tuple[list[int], list[int]]:
    """Return the indexes that differ from every better one by enough bits, and the others."""
    apart, alike = list[int](), list[int]()
    signs = np.where(fingerprints, 1, -1).astype(np.float32)
    bits = signs.shape[1]
    kept = np.zeros((min(len(ranked), MOST_COMPARED), bits), np.float32)
    for place, index in enumerate(ranked):
        differing = (bits - kept[: len(apart)] @ signs[index]) / 2
        if len(apart) < MOST_COMPARED:
            if (differing >= least_bits).all():
                kept[len(apart)] = signs[index]
                apart.append(int(index))
            else:
                alike.append(int(index))
        else:
            return apart + [int(rest) for rest in ranked[place:]], alike
    return apart, alike


def _spread(embeddings: Floats, scores: NDArray[np.float64]) -> list[int]:
    """Return the places in farthest-first order: the best, then each time the largest squared distance x score."""
    order: list[int] = []
    nearest = np.full(len(scores), np.inf)
    while len(order) < len(scores):
        gain = scores * np.where(np.isinf(nearest), 1.0, nearest)
        gain[order] = -1
        order.append(int(gain.argmax()))
        nearest = np.minimum(nearest, ((embeddings - embeddings[order[-1]]) ** 2).sum(axis=1))
    return order
