"""Picking: the picks of a mining, what is told of them, and the content that they make."""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from schemas.model_parameters import MineParameters
from schemas.reports import Finding
from storage.datasets.asset_ids import asset_ids_of, positions
from storage.datasets.content import Content
from storage.datasets.hamming import groups_within, nearest
from storage.datasets.library import Library
from storage.datasets.restriction import Ids, restricted
from storage.datasets.selections import frozen
from workers.mining.choosing import Chosen
from workers.mining.nearest import nearest_squares
from workers.mining.plan import Plan
from workers.mining.pool import Numbers, Pool
from workers.mining.strategies import picks

EVERYTHING: Final = "all candidates are kept"
PAIRS_AT_MOST: Final = 1_000_000_000
"""Of so many pairs of a pick and a labeled image the nearest are looked for: the first picks' where there are more."""
COUNTED_AT_MOST: Final = 20_000
"""Near-duplicates are counted among so many picks, not among more."""


class Picked(NamedTuple):
    """The picks, the most wanted first, what is told of each, and how many look like another of them."""

    assets: Sequence[bytes]
    findings: Sequence[Finding]
    near_duplicates: int | None
    """None where they are too many to be compared."""


def picked(pool: Pool, plan: Plan, parameters: MineParameters) -> Picked:
    """Return what is picked; all of the candidates, unranked, where all are wanted. CPU-heavy: call it in a thread."""
    if parameters.top_k >= len(pool.assets) and plan.strategies != "random":
        chosen = [Chosen(place, 0.0, EVERYTHING) for place in range(len(pool.assets))]
    else:
        chosen = picks(pool, plan.strategies)
    places = np.array([pick.place for pick in chosen], np.int64)
    looked_at = PAIRS_AT_MOST // max(len(pool.labeled.assets), 1)
    near = _nearest_labeled(pool, places[:looked_at]) + [""] * len(places[looked_at:])
    findings = [
        Finding(subject=pool.assets[pick.place].hex(), detail=_detail(rank, pick) + told, kind="pick")
        for rank, (pick, told) in enumerate(zip(chosen, near, strict=True), start=1)
    ]
    return Picked([pool.assets[pick.place] for pick in chosen], findings, _near_duplicates(pool, places))


async def content_of(assets: Sequence[bytes], candidates: Content, *, library: Library) -> Content:
    """Return the candidates' content with the picks alone."""
    ids = await library.asset_ids(candidates)
    return await asyncio.to_thread(_restricted, assets, candidates, ids)


def _restricted(assets: Sequence[bytes], candidates: Content, ids: Ids) -> Content:
    wanted = asset_ids_of(assets)
    masks = {}
    for segment, images in candidates.image_masks().items():
        mask = np.zeros(len(images), np.bool_)
        places = positions(ids[segment], wanted)
        mask[places[places >= 0]] = True
        masks[segment] = frozen(mask & images)
    return restricted(candidates, masks, ids=ids)


def _detail(rank: int, pick: Chosen) -> str:
    return f"rank {rank}, score {pick.score:.6g}; {pick.reason}"


def _nearest_labeled(pool: Pool, places: Numbers) -> list[str]:
    """Return for each pick which labeled image is nearest to it, by features where both have some, else by hash."""
    labeled = pool.labeled
    if pool.features is not None and labeled.features is not None and len(labeled.features):
        squares, where = nearest_squares(pool.features[places], labeled.features)
        return [
            f"; the nearest labeled image is {labeled.assets[of].hex()}, {np.sqrt(square):.3g} away"
            for square, of in zip(squares.tolist(), where.tolist(), strict=True)
        ]
    if pool.hashes is None or labeled.hashes is None or not labeled.hashes.known.any():
        return [""] * len(places)
    among = np.flatnonzero(labeled.hashes.known)
    where, bits = nearest(pool.hashes.words[places], labeled.hashes.words[among])
    known = pool.hashes.known[places].tolist()
    return [
        f"; the nearest labeled image is {labeled.assets[among[of]].hex()}, {differing} of 256 bits away" if has else ""
        for of, differing, has in zip(where.tolist(), bits.tolist(), known, strict=True)
    ]


def _near_duplicates(pool: Pool, places: Numbers) -> int | None:
    """Return how many picks look like one that was picked before, directly or by way of others."""
    if pool.hashes is None or len(places) > COUNTED_AT_MOST:
        return None
    some = places[pool.hashes.known[places]]
    groups = groups_within(pool.hashes.words[some], pool.options.alike)
    return len(some) - len(np.unique(groups))
