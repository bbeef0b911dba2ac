"""Picking: from candidates and what an executor said of them to the content of the picks."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from schemas.errors import Invalid
from schemas.executors import Purpose
from schemas.model_parameters import MineParameters
from schemas.outcomes import Outcome
from storage.datasets.asset_ids import asset_ids_of, positions
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.datasets.restriction import Ids, restricted
from storage.datasets.selections import frozen
from workers.executors.candidates import assets_of
from workers.executors.infer_result import Found
from workers.executors.layout import MINING_RESULT
from workers.executors.mining_result import Pick, Ranking, read_ranking
from workers.executors.predicting import Prepared, Tools, executed, predictions, prepared
from workers.executors.runs import Executed
from workers.mining.strategies import Candidates, Strategy
from workers.work import Work


class Scored(NamedTuple):
    """What a run of the executor said of the candidates."""

    ready: Prepared
    ran: Executed
    ranking: Ranking
    found: Found | None


def purposes_of(parameters: MineParameters, strategy: Strategy, candidates: int) -> frozenset[Purpose]:
    """Return what the executor has to do: nothing, where all candidates are kept or its word is not asked for."""
    purposes = set()
    if strategy.needs_executor and parameters.top_k < candidates:
        purposes.add(Purpose.MINING)
    if parameters.keep_predictions:
        purposes.add(Purpose.INFER)
    return frozenset(purposes)


async def scored(
    work: Work[MineParameters], candidates: Content, purposes: frozenset[Purpose], *, tools: Tools
) -> Scored | Outcome:
    """Run the executor on the candidates; an outcome is what it came to when it failed or was cancelled."""
    parameters = work.parameters
    ready = await prepared(work, parameters, candidates, model=parameters.model, purposes=purposes, tools=tools)
    ran = await executed(work, ready, phase="mining", tools=tools)
    if ran.error is not None or ran.cancelled:
        return ran.outcome()
    try:
        ranking = Ranking((), ())
        if Purpose.MINING in purposes:
            path = ready.run.folder.made / MINING_RESULT
            ranking = await asyncio.to_thread(read_ranking, path, candidates=ready.images.keys())
        found = await predictions(ready) if Purpose.INFER in purposes else None
    except Invalid as error:
        return ran.outcome(error)
    return Scored(ready, ran, ranking, found)


async def picks_of(
    candidates: Content,
    ranking: Sequence[Pick],
    *,
    strategy: Strategy,
    parameters: MineParameters,
    library: Library,
) -> Sequence[Pick]:
    """Return the candidates that are picked, the most wanted first; all of them, unranked, where all are wanted."""
    ids = await library.asset_ids(candidates)
    assets = await asyncio.to_thread(assets_of, candidates, ids=ids)
    if parameters.top_k >= len(assets) and strategy.needs_executor:
        return [Pick(asset, 0.0) for asset in sorted(assets)]
    ranked = await asyncio.to_thread(strategy.rank, Candidates(assets, ranking, parameters.seed))
    return ranked[: parameters.top_k]


async def content_of(picks: Sequence[Pick], candidates: Content, *, library: Library) -> Content:
    """Return the candidates' content with the picks alone."""
    ids = await library.asset_ids(candidates)
    return await asyncio.to_thread(_restricted, picks, candidates, ids)


def _restricted(picks: Sequence[Pick], candidates: Content, ids: Ids) -> Content:
    wanted = asset_ids_of([pick.asset for pick in picks])
    masks = {}
    for segment, images in candidates.image_masks().items():
        mask = np.zeros(len(images), np.bool_)
        places = positions(ids[segment], wanted)
        mask[places[places >= 0]] = True
        masks[segment] = frozen(mask & images)
    return restricted(candidates, masks, ids=ids)
