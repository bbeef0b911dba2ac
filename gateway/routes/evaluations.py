"""Evaluations: how well predictions met a ground truth."""

import asyncio
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from gateway.comparing import comparison
from gateway.finding import project_of
from gateway.operations import Routes
from gateway.reading import PageQuery, page_size, read_query
from gateway.replies import reply
from gateway.services import SERVICES
from gateway.thresholds import at_confidence
from gateway.thumbnails import THUMBNAILS
from schemas.errors import Fault, Invalid, NotFound
from schemas.evaluations import (
    CurvesTable,
    Evaluation,
    EvaluationComparison,
    EvaluationReport,
    EvaluationTable,
    Measure,
)
from schemas.pages import Page
from schemas.parameters import Fraction
from schemas.schema import Id, Schema
from storage.ports import Query, Scalar

routes: Final = Routes("evaluations")

EVALUATIONS: Final = "/v1/projects/{project}/evaluations"


class EvaluationQuery(PageQuery):
    """Which evaluations are listed."""

    version: Id | None = None
    layer: str | None = None
    task: Id | None = None


class ReportQuery(Schema):
    """At which confidence an evaluation is shown."""

    confidence: Fraction | None = None
    """The counts, precision, recall and F1 are those at this confidence, of two decimals; else the evaluation's."""


class CompareQuery(Schema):
    """Which evaluations are compared."""

    evaluation: Annotated[tuple[Id, ...], Field(min_length=2, max_length=20)]
    """Given twice or more; the others are compared with the first."""


@routes.get(EVALUATIONS, query=EvaluationQuery, answer=Page[Evaluation])
async def list_evaluations(request: web.Request) -> web.Response:
    """List the evaluations of a project, the newest first."""
    query = read_query(request, EvaluationQuery)
    equal: dict[str, Scalar] = {"project": (await project_of(request)).id}
    equal |= {name: value for name in ("version", "layer", "task") if (value := getattr(query, name)) is not None}
    documents = request.app[SERVICES].database.documents(Evaluation)
    limit = page_size(request, query)
    return reply(await documents.list(Query(equal=equal), order="-created_at", limit=limit, cursor=query.cursor))


@routes.get(f"{EVALUATIONS}/compare", query=CompareQuery, answer=EvaluationComparison)
async def compare_evaluations(request: web.Request) -> web.Response:
    """Compare evaluations with the first that is named: by class, over all, and how sure the differences are."""
    query = read_query(request, CompareQuery)
    services, project = request.app[SERVICES], await project_of(request)
    named = dict.fromkeys(query.evaluation)
    found = {one.id: one for one in await services.database.documents(Evaluation).get_many(list(named))}
    faults = [
        Fault(f"There is no evaluation {one} in this project.", "?evaluation")
        for one in named
        if one not in found or found[one].project != project.id
    ]
    if faults:
        raise Invalid("Not all evaluations exist.", step="Name those of the project.", faults=faults)
    async with request.app[THUMBNAILS].slots:
        return reply(await comparison([found[one] for one in named], blobs=services.blobs))


@routes.get(f"{EVALUATIONS}/{{id}}", query=ReportQuery, answer=EvaluationReport)
async def show_evaluation(request: web.Request) -> web.Response:
    """Show an evaluation with its figures for each class; the counts may be those at another confidence."""
    query = read_query(request, ReportQuery)
    report = await report_of(request)
    if query.confidence is not None and query.confidence != report.confidence:
        report = at_confidence(report, await curves_of(request, report), query.confidence)
    return reply(report)


async def evaluation_of(request: web.Request) -> Evaluation:
    """Return the evaluation that an address names; raise NotFound."""
    project, identity = await project_of(request), request.match_info["id"]
    found = await request.app[SERVICES].database.documents(Evaluation).get_many([identity])
    if not found or found[0].project != project.id:
        raise NotFound("evaluation", identity, step=f"GET /v1/projects/{project.name}/evaluations lists them.")
    return found[0]


async def report_of(request: web.Request) -> EvaluationReport:
    """Return the evaluation that an address names with its table; raise NotFound."""
    evaluation = await evaluation_of(request)
    figures = EvaluationTable.model_validate_json(await request.app[SERVICES].blobs.get(evaluation.table.digest))
    return EvaluationReport(**{name: getattr(evaluation, name) for name in Evaluation.model_fields}, figures=figures)


async def curves_of(request: web.Request, evaluation: Evaluation) -> CurvesTable:
    """Return the curves of an evaluation; raise Invalid if it is of a release that kept none, or has none."""
    if evaluation.curves is None:
        raise without("curves", evaluation)
    data = await request.app[SERVICES].blobs.get(evaluation.curves.digest)
    return await asyncio.to_thread(CurvesTable.model_validate_json, data)


def without(what: str, evaluation: Evaluation) -> Invalid:
    """Return the refusal of what an evaluation does not have."""
    if evaluation.measure is Measure.SEMANTIC and evaluation.curves is not None:
        return Invalid(f"An evaluation of pixels has no {what}.", step="Evaluate masks or boxes.")
    return Invalid(f"The evaluation has no {what}: an older release made it.", step="Evaluate again.")
