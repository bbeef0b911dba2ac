"""Split: all assets of a content dealt out anew to training, validation and test."""

import numpy as np

from schemas.splits import Split
from storage.datasets.content import Content
from storage.datasets.drawing import Numbers, Urn, largest_remainder
from storage.datasets.families import Families
from storage.datasets.restriction import Ids
from storage.datasets.sample import by_stratum, stratum_of
from storage.datasets.strata import Strata


def dealt(
    content: Content,
    *,
    training: float = 0.0,
    validation: float = 0.0,
    test: float = 0.0,
    seed: int = 0,
    ids: Ids,
    strata: Strata | None = None,
    together: Numbers | None = None,
) -> Content:
    """Return the content with its assets, in order of their hash of (``split``, seed, id), dealt out by shares.

    The shares add up to at most 1; what is left is in no split. Counts are by largest remainder, with ``strata`` (of
    ``strata_of``) in each stratum. With ``together`` (labels in order of segment and row) images of one label stay
    together: the largest families first, equal ones by the hash of their least id, each to the split that lacks most.
    Layers stay as they are. CPU-heavy: call it in a thread.
    """
    urn = Urn.of(content, ids=ids, operation="split", seed=seed)
    shares = (training, validation, test, max(0.0, 1 - training - validation - test))
    if together is None:
        groups = [np.arange(len(urn.hashes))] if strata is None else by_stratum(urn, strata)
        hands = [_dealt(urn.ordered(group), shares) for group in groups]
    else:
        families = Families.of(urn, together)
        groups = families.strata(stratum_of(urn, strata))
        hands = [[families.places(hand) for hand in families.dealt(group, shares)] for group in groups]
    parts = [np.concatenate([np.zeros(0, np.int64), *(hand[place] for hand in hands)]) for place in range(len(shares))]
    splits = (Split.TRAINING, Split.VALIDATION, Split.TEST, Split.NONE)
    images = {split: urn.masks_of(part) for split, part in zip(splits, parts, strict=True)}
    return Content(images, content.layers).tidied()


def _dealt(places: Numbers, shares: tuple[float, ...]) -> list[Numbers]:
    return np.split(places, np.cumsum(largest_remainder(shares, len(places)))[:-1])
