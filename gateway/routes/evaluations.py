"""Evaluations: how well predictions met a ground truth."""

from typing import Final

from aiohttp import web

from gateway.finding import project_of
from gateway.operations import Routes
from gateway.reading import PageQuery, page_size, read_query
from gateway.replies import reply
from gateway.services import SERVICES
from schemas.errors import NotFound
from schemas.evaluations import Evaluation, EvaluationReport, EvaluationTable
from schemas.pages import Page
from schemas.schema import Id
from storage.ports import Query, Scalar

routes: Final = Routes("evaluations")


class EvaluationQuery(PageQuery):
    """Which evaluations are listed."""

    version: Id | None = None
    layer: str | None = None
    task: Id | None = None


@routes.get("/v1/projects/{project}/evaluations", query=EvaluationQuery, answer=Page[Evaluation])
async def list_evaluations(request: web.Request) -> web.Response:
    """List the evaluations of a project, the newest first."""
    query = read_query(request, EvaluationQuery)
    equal: dict[str, Scalar] = {"project": (await project_of(request)).id}
    equal |= {name: value for name in ("version", "layer", "task") if (value := getattr(query, name)) is not None}
    documents = request.app[SERVICES].database.documents(Evaluation)
    limit = page_size(request, query)
    return reply(await documents.list(Query(equal=equal), order="-created_at", limit=limit, cursor=query.cursor))


@routes.get("/v1/projects/{project}/evaluations/{id}", answer=EvaluationReport)
async def show_evaluation(request: web.Request) -> web.Response:
    """Show an evaluation with its figures for each class."""
    services = request.app[SERVICES]
    project = await project_of(request)
    identity = request.match_info["id"]
    found = await services.database.documents(Evaluation).get_many([identity])
    if not found or found[0].project != project.id:
        raise NotFound("evaluation", identity, step=f"GET /v1/projects/{project.name}/evaluations lists them.")
    figures = EvaluationTable.model_validate_json(await services.blobs.get(found[0].table.digest))
    return reply(
        EvaluationReport(**{name: getattr(found[0], name) for name in Evaluation.model_fields}, figures=figures)
    )
