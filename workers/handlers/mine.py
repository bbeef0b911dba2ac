"""Mine: keep the images from which a model would learn most."""

import asyncio
from collections.abc import Sequence

from pydantic import JsonValue

from schemas.counts import counted
from schemas.errors import Invalid
from schemas.model_parameters import MineParameters
from schemas.outcomes import Outcome
from schemas.reports import Finding, Report
from storage.cache import BlobCache
from storage.datasets.content import Content
from storage.datasets.exclude import excluded
from storage.datasets.library import Library
from storage.ports import Blobs, Database
from workers.drafts import Given, all_given, given, version_of
from workers.executors.mining_result import Pick
from workers.executors.predicting import Tools, report_blob, unknown_class_findings, with_predictions
from workers.executors.prediction_layers import layer_name
from workers.executors.runs import Runtimes
from workers.image_pool import ImagePool
from workers.mining.picking import Scored, content_of, picks_of, purposes_of, scored
from workers.mining.strategies import strategy_of
from workers.work import Work


async def mine(
    work: Work[MineParameters],
    *,
    library: Library,
    blobs: Blobs,
    database: Database,
    cache: BlobCache,
    runtimes: Runtimes,
    pool: ImagePool,
) -> Outcome:
    """Make a version of the candidates that are wanted most; the report names each with its rank and score.

    Candidates are the source's assets that none of the ``labeled`` versions has. Their layers stay as they are; with
    ``keep_predictions`` the model's layer is added, in the place of one of the same name.
    """
    parameters = work.parameters
    tools = Tools(library, blobs, database, cache, runtimes, pool)
    strategy = strategy_of(parameters.strategy)
    source = await given(work.task, "/source", library=library)
    candidates = await _candidates(work, source, library=library)
    purposes = purposes_of(parameters, strategy, candidates.image_count())
    said = await scored(work, candidates, purposes, tools=tools) if purposes else None
    if isinstance(said, Outcome):
        return said
    ranking = () if said is None else said.ranking.picks
    picks = await picks_of(candidates, ranking, strategy=strategy, parameters=parameters, library=library)
    kept = await content_of(picks, candidates, library=library)
    if said is not None and said.found is not None:
        layer = layer_name(None, said.ready.found)
        kept = await with_predictions(kept, said.found, said.ready, layer=layer, tools=tools)
    told = _summary(parameters, picks, candidates, said)
    warnings = _warnings(parameters, picks, candidates, said)
    outcome = await version_of(
        parameters, kept, parents=[source.version], library=library, summary=told, warnings=warnings
    )
    return await _reported(outcome, picks, said, tools=tools)


async def _candidates(work: Work[MineParameters], source: Given, *, library: Library) -> Content:
    labeled = await all_given(work.task, "/labeled/{}", len(work.parameters.labeled), library=library)
    others = [one.content for one in labeled]
    ids = await library.asset_ids(source.content, *others)
    content = await asyncio.to_thread(excluded, source.content, others, ids=ids)
    if not content.image_count():
        raise Invalid(
            "There is no candidate: the source has no image that is not in a labeled version.",
            step="Name a source with images that are still to be labeled.",
        )
    return content


def _summary(
    parameters: MineParameters, picks: Sequence[Pick], candidates: Content, said: Scored | None
) -> dict[str, JsonValue]:
    found = None if said is None else said.found
    unknown: dict[str, JsonValue] = {} if found is None else dict(sorted(found.unknown_classes.items()))
    return {
        "candidates": candidates.image_count(),
        "picks": len(picks),
        "strategy": parameters.strategy,
        "predictions_of_unknown_classes": unknown,
    }


def _warnings(
    parameters: MineParameters, picks: Sequence[Pick], candidates: Content, said: Scored | None
) -> tuple[str, ...]:
    warnings: list[str] = []
    count = candidates.image_count()
    if parameters.top_k >= count:
        warnings.append(f"top_k is {parameters.top_k} and of candidates there are {count}: all are kept.")
    elif len(picks) < parameters.top_k:
        warnings.append(f"The executor ranked {counted(len(picks), 'candidate')} only, fewer than top_k.")
    if said is not None:
        warnings += [*said.ready.warnings, *said.ranking.warnings, *said.ran.warnings]
    return tuple(warnings)


async def _reported(outcome: Outcome, picks: Sequence[Pick], said: Scored | None, *, tools: Tools) -> Outcome:
    findings = [
        Finding(subject=pick.asset.hex(), detail=f"rank {rank}, score {pick.score:.6g}", kind="pick")
        for rank, pick in enumerate(picks, start=1)
    ]
    findings += [] if said is None or said.found is None else unknown_class_findings(said.found)
    report = Report(summary=outcome.result.summary, findings=tuple(findings))
    log = None if said is None else said.ran.log
    return outcome.model_copy(update={"log": log, **await report_blob(report, tools=tools)})
