"""Executing: what an executor says of the candidates, run once for all that the strategies ask of it."""

import asyncio
from typing import NamedTuple

from schemas.errors import Invalid
from schemas.executors import Purpose
from schemas.model_parameters import MineParameters, ModelStage
from schemas.outcomes import Outcome
from storage.datasets.content import Content
from workers.executors.infer_result import Found
from workers.executors.layout import EMBEDDINGS, MINING_RESULT
from workers.executors.mining_result import Ranking, read_ranking
from workers.executors.predicting import Prepared, Tools, executed, predictions, prepared
from workers.executors.runs import Executed
from workers.mining.embeddings import read_embeddings
from workers.mining.plan import Plan
from workers.mining.pool import Floats
from workers.mining.strategies import Need
from workers.work import Work

ALGORITHM = "mining_algorithm"
"""What YMIR's executors call the parameter that says how they rank."""


class Said(NamedTuple):
    """What a run of the executor said of the images that it was shown."""

    ready: Prepared
    ran: Executed
    ranking: Ranking
    found: Found | None
    embeddings: Floats | None


async def said_by_executor(
    work: Work[MineParameters], shown: Content, plan: Plan, *, model: ModelStage, tools: Tools
) -> Said | Outcome:
    """Run the executor on some images; an outcome is what it came to when it failed or was cancelled."""
    parameters = _configured(work.parameters, plan)
    ready = await prepared(work, parameters, shown, model=model, purposes=plan.purposes, tools=tools)
    _check_algorithm(plan, ready)
    ran = await executed(work, ready, phase="mining", tools=tools)
    if ran.error is not None or ran.cancelled:
        return ran.outcome()
    try:
        return await _read(ready, ran, plan)
    except Invalid as error:
        return ran.outcome(error)


async def _read(ready: Prepared, ran: Executed, plan: Plan) -> Said:
    made = ready.run.folder.made
    ranking, embeddings = Ranking((), ()), None
    if Purpose.MINING in plan.purposes and Need.RANKING in plan.needs:
        ranking = await asyncio.to_thread(read_ranking, made / MINING_RESULT, candidates=ready.images.keys())
    if Need.FEATURES in plan.needs:
        embeddings = await asyncio.to_thread(read_embeddings, made / EMBEDDINGS, images=len(ready.images))
    found = await predictions(ready) if Purpose.INFER in plan.purposes else None
    return Said(ready, ran, ranking, found, embeddings)


def _configured(parameters: MineParameters, plan: Plan) -> MineParameters:
    if plan.algorithm is None:
        return parameters
    return parameters.model_copy(update={"config": {**parameters.config, ALGORITHM: plan.algorithm}})


def _check_algorithm(plan: Plan, ready: Prepared) -> None:
    executor = ready.run.executor
    if plan.algorithm is not None and ALGORITHM not in executor.templates[Purpose.MINING]:
        raise Invalid(
            f"The strategy {plan.algorithm!r} is an executor's own, and {executor.name!r} has no {ALGORITHM}.",
            step=f"Name an executor with {ALGORITHM} in its mining template, or use two_stage.",
        )
