"""Sample: a seeded random part of a content, the same however the content is cut into segments."""

import numpy as np
from numpy.typing import NDArray

from schemas.algebra_parameters import Portion
from storage.datasets.content import Content
from storage.datasets.drawing import Numbers, Urn, largest_remainder
from storage.datasets.families import Families
from storage.datasets.restriction import Ids, restricted
from storage.datasets.strata import Strata


def sampled(
    content: Content, portion: Portion, *, ids: Ids, strata: Strata | None = None, together: Numbers | None = None
) -> Content:
    """Return the content with those assets alone that are drawn: the k whose hash of (``sample``, seed, id) is least.

    A rate means the whole number below rate times images. More than there are: all. With ``strata`` (of
    ``strata_of``) each stratum gives its share, by largest remainder. With ``together`` (labels in order of segment
    and row) images of one label are drawn as one, by the hash of the least id among them; one that would be too much
    is passed over, so that there may be fewer. CPU-heavy: call it in a thread.
    """
    urn = Urn.of(content, ids=ids, operation="sample", seed=portion.seed)
    images = len(urn.hashes)
    count = min(images, portion.count if portion.count is not None else _part(images, portion.rate or 0.0))
    if together is not None:
        drawn = _families(urn, Families.of(urn, together), strata, count)
    else:
        drawn = urn.smallest(count) if strata is None else _stratified(urn, strata, count)
    return restricted(content, urn.masks_of(drawn), ids=ids).tidied()


def _part(images: int, rate: float) -> int:
    # A rate such as 0.29 is a little less than it says: 0.29 * 100 is 28.999999999999996.
    return int(images * rate + 1e-9)


def _stratified(urn: Urn, strata: Strata, count: int) -> Numbers:
    groups = by_stratum(urn, strata)
    shares = largest_remainder([len(group) for group in groups], count)
    return np.concatenate([urn.smallest(share, group) for share, group in zip(shares, groups, strict=True)])


def _families(urn: Urn, families: Families, strata: Strata | None, count: int) -> Numbers:
    groups = families.strata(stratum_of(urn, strata))
    shares = largest_remainder([int(families.sizes[group].sum()) for group in groups], count)
    drawn = [families.drawn(group, share) for group, share in zip(groups, shares, strict=True)]
    return families.places(np.concatenate([np.zeros(0, np.int64), *drawn]))


def stratum_of(urn: Urn, strata: Strata | None) -> NDArray[np.int32]:
    """Return the stratum of each place; all are of one where there are no strata."""
    if strata is None:
        return np.zeros(len(urn.hashes), np.int32)
    parts = [strata[segment][urn.masks[segment]] for segment in urn.segments]
    return np.concatenate([np.zeros(0, np.int32), *parts])


def by_stratum(urn: Urn, strata: Strata) -> list[Numbers]:
    """Return the places of each stratum, empty ones left out."""
    stratum = stratum_of(urn, strata)
    order = np.argsort(stratum, kind="stable")
    ends = np.flatnonzero(np.diff(stratum[order])) + 1
    return [group for group in np.split(order, ends) if len(group)] or [np.zeros(0, np.int64)]
