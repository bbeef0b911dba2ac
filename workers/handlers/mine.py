"""Mine: keep the images from which a model would learn most."""

import asyncio
from collections.abc import Collection, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from schemas.counts import counted
from schemas.errors import Invalid
from schemas.executors import Executor, Purpose
from schemas.model_parameters import MineParameters
from schemas.models import Model
from schemas.outcomes import Outcome
from schemas.reports import Report
from schemas.splits import Split
from storage.cache import BlobCache
from storage.datasets.content import Content
from storage.datasets.exclude import excluded
from storage.datasets.library import Library
from storage.datasets.selections import union
from storage.ports import Blobs, Database, Query
from workers.drafts import all_given, given, version_of
from workers.executors.models import find_stage
from workers.executors.predicting import Tools, report_blob, unknown_class_findings, with_predictions
from workers.executors.prediction_layers import layer_name
from workers.executors.runs import RAN, Runtimes
from workers.image_pool import ImagePool
from workers.mining.executing import Said, said_by_executor
from workers.mining.knowing import Features, Pixels, features_of, pool_of
from workers.mining.labeled import Known, known
from workers.mining.picking import Picked, content_of, picked
from workers.mining.plan import Plan, planned
from workers.work import Work


class Asked(NamedTuple):
    """What is chosen from, what is known before anything runs, and what is done."""

    candidates: Content
    known: Known
    model: Model | None
    plan: Plan


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
    """Make a version of the candidates that are wanted most; the report says of each its rank, its score and why.

    Candidates are the source's assets that none of the ``labeled`` versions has. Their layers stay as they are; with
    ``keep_predictions`` the model's layer is added, in the place of one of the same name.
    """
    tools = Tools(library, blobs, database, cache, runtimes, pool)
    source = await given(work.task, "/source", library=library)
    asked = await _asked(work, source.content, tools=tools)
    said = await _said(work, asked, tools=tools)
    if isinstance(said, Outcome):
        return said
    pixels = Pixels(pool, cache)
    features, picks = await _picked(work, asked, said, pixels=pixels, library=library)
    kept = await content_of(picks.assets, asked.candidates, library=library)
    if work.parameters.keep_predictions and said is not None and said.found is not None:
        layer = layer_name(None, said.ready.found)
        kept = await with_predictions(kept, said.found, said.ready, layer=layer, tools=tools)
    outcome = await version_of(
        work.parameters,
        kept,
        parents=[source.version],
        library=library,
        summary=_summary(work.parameters, asked, picks, said),
        warnings=(*_warnings(work.parameters, asked, picks, said), *features.warnings),
    )
    return await _reported(outcome, picks, said, tools=tools)


async def _asked(work: Work[MineParameters], source: Content, *, tools: Tools) -> Asked:
    parameters, library = work.parameters, tools.library
    labeled = [
        one.content for one in await all_given(work.task, "/labeled/{}", len(parameters.labeled), library=library)
    ]
    model = None
    if parameters.model is not None:
        model = (await find_stage(parameters.model, project=work.task.project, database=tools.database)).model
    candidates = await _candidates(source, labeled, library=library)
    there = await known(labeled, model, library=library)
    able = await _able(parameters, tools.database)
    plan = planned(
        parameters,
        candidates=candidates.image_count(),
        able=able,
        boxes=sum(there.counts[name] for name in model.classes) if model is not None else 0,
        classes=len(model.classes) if model is not None else 0,
    )
    return Asked(candidates, there, model, plan)


async def _able(parameters: MineParameters, database: Database) -> Collection[Purpose]:
    if parameters.executor is None:
        return ()
    found = await database.documents(Executor).list(Query(equal={"name": parameters.executor}), order="name", limit=1)
    return found.items[0].templates if found.items else ()


async def _candidates(source: Content, labeled: Sequence[Content], *, library: Library) -> Content:
    ids = await library.asset_ids(source, *labeled)
    content = await asyncio.to_thread(excluded, source, labeled, ids=ids)
    if not content.image_count():
        raise Invalid(
            "There is no candidate: the source has no image that is not in a labeled version.",
            step="Name a source with images that are still to be labeled.",
        )
    return content


async def _said(work: Work[MineParameters], asked: Asked, *, tools: Tools) -> Said | Outcome | None:
    model = work.parameters.model
    if not asked.plan.purposes or model is None:
        return None
    shown = asked.candidates
    if asked.plan.covers_labeled:
        ids = await tools.library.asset_ids(shown, asked.known.content)
        others = await asyncio.to_thread(excluded, asked.known.content, [shown], ids=ids)
        shown = Content({Split.NONE: union(shown.image_masks(), others.image_masks())})
    return await said_by_executor(work, shown, asked.plan, model=model, tools=tools)


async def _picked(
    work: Work[MineParameters], asked: Asked, said: Said | None, *, pixels: Pixels, library: Library
) -> tuple[Features, Picked]:
    pool = await pool_of(
        asked.candidates,
        said,
        known=asked.known,
        parameters=work.parameters,
        classes=() if asked.model is None else asked.model.classes,
        library=library,
    )
    labeled = set(asked.known.assets) - set(pool.assets) if asked.plan.covers_labeled else set()
    features = await features_of(
        asked.plan,
        [*pool.assets, *sorted(labeled)],
        said,
        pixels=pixels,
        progress=lambda fraction: work.progress(fraction * RAN, "looking at pixels"),
    )
    work.progress(RAN, "choosing")
    full = await asyncio.to_thread(features.given_to, pool)
    return features, await asyncio.to_thread(picked, full, asked.plan, work.parameters)


def _summary(parameters: MineParameters, asked: Asked, picks: Picked, said: Said | None) -> dict[str, JsonValue]:
    found = None if said is None or not parameters.keep_predictions else said.found
    unknown: dict[str, JsonValue] = {} if found is None else dict(sorted(found.unknown_classes.items()))
    chosen: dict[str, JsonValue] = {}
    if asked.plan.why:
        chosen = {"chosen": _json(asked.plan.strategies), "because": asked.plan.why}
    return {
        "candidates": asked.candidates.image_count(),
        "labeled": len(asked.known.assets),
        "picks": len(picks.assets),
        "near_duplicates_among_picks": picks.near_duplicates,
        "strategy": _json(parameters.strategy),
        **chosen,
        "predictions_of_unknown_classes": unknown,
    }


def _json(strategies: str | dict[str, float]) -> JsonValue:
    return strategies if isinstance(strategies, str) else dict(strategies)


def _warnings(parameters: MineParameters, asked: Asked, picks: Picked, said: Said | None) -> tuple[str, ...]:
    warnings: list[str] = []
    count = asked.candidates.image_count()
    if parameters.top_k >= count:
        warnings.append(f"top_k is {parameters.top_k} and of candidates there are {count}: all are kept.")
    elif len(picks.assets) < parameters.top_k:
        warnings.append(f"The executor ranked {counted(len(picks.assets), 'candidate')} only, fewer than top_k.")
    if said is not None:
        warnings += [*said.ready.warnings, *said.ranking.warnings, *said.ran.warnings]
    return tuple(warnings)


async def _reported(outcome: Outcome, picks: Picked, said: Said | None, *, tools: Tools) -> Outcome:
    findings = list(picks.findings)
    findings += [] if said is None or said.found is None else unknown_class_findings(said.found)
    report = Report(summary=outcome.result.summary, findings=tuple(findings))
    log = None if said is None else said.ran.log
    return outcome.model_copy(update={"log": log, **await report_blob(report, tools=tools)})
