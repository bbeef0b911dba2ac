"""Split: all assets of a content dealt out anew to training, validation and test."""

import numpy as np

from schemas.splits import Split
from storage.datasets.content import Content
from storage.datasets.drawing import Numbers, Urn, largest_remainder
from storage.datasets.restriction import Ids
from storage.datasets.sample import by_stratum
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
) -> Content:
    """Return the content with its assets, in order of their hash of (``split``, seed, id), dealt out by shares.

    The shares add up to at most 1; what is left is in no split. Counts are by largest remainder, with ``strata`` (of
    ``strata_of``) in each stratum. Layers stay as they are. CPU-heavy: call it in a thread.
    """
    urn = Urn.of(content, ids=ids, operation="split", seed=seed)
    shares = (training, validation, test, max(0.0, 1 - training - validation - test))
    groups = [np.arange(len(urn.hashes))] if strata is None else by_stratum(urn, strata)
    parts: list[list[Numbers]] = [[] for _ in shares]
    for group in groups:
        ends = np.cumsum(largest_remainder(shares, len(group)))[:-1]
        for part, places in zip(parts, np.split(urn.ordered(group), ends), strict=True):
            part.append(places)
    splits = (Split.TRAINING, Split.VALIDATION, Split.TEST, Split.NONE)
    images = {split: urn.masks_of(np.concatenate(part)) for split, part in zip(splits, parts, strict=True)}
    return Content(images, content.layers).tidied()
