"""Mine: keep the images from which a model would learn most."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue

from schemas.errors import Invalid
from schemas.executors import Purpose
from schemas.outcomes import Outcome
from schemas.parameters import MineParameters
from schemas.reports import Finding, Report
from storage.cache import BlobCache
from storage.datasets.asset_ids import asset_ids_of, positions
from storage.datasets.content import Content
from storage.datasets.exclude import excluded
from storage.datasets.library import Library
from storage.datasets.restriction import restricted
from storage.datasets.selections import frozen
from storage.ports import Blobs, Database
from workers.drafts import Given, all_given, given, version_of
from workers.executors.candidates import assets_of
from workers.executors.infer_result import Found
from workers.executors.layout import MINING_RESULT
from workers.executors.mining_result import Pick, Ranking, read_ranking
from workers.executors.predicting import (
    Prepared,
    Tools,
    executed,
    predictions,
    prepared,
    report_blob,
    unknown_class_findings,
    with_predictions,
)
from workers.executors.prediction_layers import layer_name
from workers.executors.runs import Executed, Runtimes
from workers.mining.strategies import Candidates, Strategy, strategy_of
from workers.work import Work


class Scored(NamedTuple):
    """What a run of the executor said of the candidates."""

    ready: Prepared
    ran: Executed
    ranking: Ranking
    found: Found | None


async def mine(
    work: Work[MineParameters],
    *,
    library: Library,
    blobs: Blobs,
    database: Database,
    cache: BlobCache,
    runtimes: Runtimes,
) -> Outcome:
    """Make a version of the candidates that are wanted most; the report names each with its rank and score.

    Candidates are the source's assets that none of the ``labeled`` versions has. Their layers stay as they are; with
    ``keep_predictions`` the model's layer is added, in the place of one of the same name.
    """
    parameters = work.parameters
    tools = Tools(library, blobs, database, cache, runtimes)
    strategy = strategy_of(parameters.strategy)
    source = await given(work.task, "/source", library=library)
    candidates = await _candidates(work, source, library=library)
    count = candidates.image_count()
    purposes = _purposes(parameters, strategy, count)
    scored = None
    if purposes:
        result = await _scored(work, candidates, purposes, tools=tools)
        if isinstance(result, Outcome):
            return result
        scored = result
    picks = await _picks(parameters, strategy, candidates, scored, library=library)
    kept = await _only(candidates, picks, library=library)
    if scored is not None and scored.found is not None:
        layer = layer_name(None, scored.ready.found)
        kept = await with_predictions(kept, scored.found, scored.ready, layer=layer, tools=tools)
    return await _outcome(parameters, source, kept, picks, count, scored, tools=tools)


async def _candidates(work: Work[MineParameters], source: Given, *, library: Library) -> Content:
    labeled = await all_given(work.task, "/labeled/{}", len(work.parameters.labeled), library=library)
    ids = await library.asset_ids(source.content, *(one.content for one in labeled))
    content = await asyncio.to_thread(excluded, source.content, [one.content for one in labeled], ids=ids)
    if not content.image_count():
        raise Invalid(
            "There is no candidate: the source has no image that is not in a labeled version.",
            step="Name a source with images that are still to be labeled.",
        )
    return content


def _purposes(parameters: MineParameters, strategy: Strategy, candidates: int) -> frozenset[Purpose]:
    purposes = set()
    if strategy.needs_executor and parameters.top_k < candidates:
        purposes.add(Purpose.MINING)
    if parameters.keep_predictions:
        purposes.add(Purpose.INFER)
    return frozenset(purposes)


async def _scored(
    work: Work[MineParameters], candidates: Content, purposes: frozenset[Purpose], *, tools: Tools
) -> Scored | Outcome:
    parameters = work.parameters
    ready = await prepared(work, parameters, candidates, model=parameters.model, purposes=purposes, tools=tools)
    ran = await executed(work, ready, gpus=parameters.gpus, phase="mining", tools=tools)
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


async def _picks(
    parameters: MineParameters, strategy: Strategy, content: Content, scored: Scored | None, *, library: Library
) -> Sequence[Pick]:
    ids = await library.asset_ids(content)
    assets = await asyncio.to_thread(assets_of, content, ids=ids)
    if parameters.top_k >= len(assets) and strategy.needs_executor:
        return [Pick(asset, 0.0) for asset in sorted(assets)]
    ranking = () if scored is None else scored.ranking.picks
    ranked = await asyncio.to_thread(strategy.rank, Candidates(assets, ranking, parameters.seed))
    return ranked[: parameters.top_k]


async def _only(content: Content, picks: Sequence[Pick], *, library: Library) -> Content:
    ids = await library.asset_ids(content)
    wanted = asset_ids_of([pick.asset for pick in picks])
    masks = {}
    for segment, images in content.image_masks().items():
        mask = np.zeros(len(images), np.bool_)
        places = positions(ids[segment], wanted)
        mask[places[places >= 0]] = True
        masks[segment] = frozen(mask & images)
    return await asyncio.to_thread(restricted, content, masks, ids=ids)


async def _outcome(
    parameters: MineParameters,
    source: Given,
    kept: Content,
    picks: Sequence[Pick],
    candidates: int,
    scored: Scored | None,
    *,
    tools: Tools,
) -> Outcome:
    found = None if scored is None else scored.found
    summary: dict[str, JsonValue] = {"candidates": candidates, "picks": len(picks), "strategy": parameters.strategy}
    if found is not None:
        summary["predictions_of_unknown_classes"] = dict(sorted(found.unknown_classes.items()))
    outcome = await version_of(
        parameters,
        kept,
        parents=[source.version],
        library=tools.library,
        summary=summary,
        warnings=_warnings(parameters, picks, candidates, scored),
    )
    findings = [_told(pick, rank) for rank, pick in enumerate(picks, start=1)]
    findings += [] if found is None else unknown_class_findings(found)
    report = Report(summary=outcome.result.summary, findings=tuple(findings))
    log = None if scored is None else scored.ran.log
    return outcome.model_copy(update={"log": log, **await report_blob(report, tools=tools)})


def _told(pick: Pick, rank: int) -> Finding:
    return Finding(subject=pick.asset.hex(), detail=f"rank {rank}, score {pick.score:.6g}", kind="pick")


def _warnings(
    parameters: MineParameters, picks: Sequence[Pick], candidates: int, scored: Scored | None
) -> tuple[str, ...]:
    warnings: list[str] = []
    if parameters.top_k >= candidates:
        warnings.append(f"top_k is {parameters.top_k} and there are {candidates} candidates: all are kept.")
    elif len(picks) < parameters.top_k:
        warnings.append(f"The executor ranked {len(picks)} candidates only, fewer than top_k.")
    if scored is not None:
        warnings += [*scored.ready.warnings, *scored.ranking.warnings, *scored.ran.warnings]
    return tuple(warnings)
