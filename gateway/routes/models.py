"""Models: what training made."""

from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from gateway.files import send_blob
from gateway.finding import model_of, project_of
from gateway.lineage import lineage_of
from gateway.operations import Routes
from gateway.reading import PageQuery, page_size, read, read_query
from gateway.references import references_to
from gateway.replies import changed, changed_fields, reply
from gateway.services import SERVICES
from gateway.views import Lineage, References
from schemas.errors import Fault, Invalid
from schemas.models import Model, ModelChange
from schemas.pages import Page
from storage.ports import Query, Scalar

routes: Final = Routes("models")

MODEL: Final = "/v1/projects/{project}/models/{id}"


class ModelQuery(PageQuery):
    """Which models are listed."""

    name: Annotated[str, Field(max_length=200)] | None = None
    task: str | None = None
    removed: bool = False
    """Those that were removed, instead of those that are there."""


@routes.get("/v1/projects/{project}/models", query=ModelQuery, answer=Page[Model])
async def list_models(request: web.Request) -> web.Response:
    """List the models of a project, the newest first."""
    query = read_query(request, ModelQuery)
    equal: dict[str, Scalar] = {"project": (await project_of(request)).id}
    equal |= {name: value for name in ("name", "task") if (value := getattr(query, name)) is not None}
    wanted = Query(equal={**equal, "removed_at": None})
    if query.removed:
        wanted = Query(equal=equal, at_least={"removed_at": ""})
    models = request.app[SERVICES].database.documents(Model)
    limit = page_size(request, query)
    return reply(await models.list(wanted, order="-created_at", limit=limit, cursor=query.cursor))


@routes.get(MODEL, answer=Model)
async def show_model(request: web.Request) -> web.Response:
    """Show a model."""
    return reply(await model_of(request))


@routes.patch(MODEL, body=ModelChange, answer=Model)
async def change_model(request: web.Request) -> web.Response:
    """Recommend another stage of a model, describe it, hide it, or show it again."""
    return reply(await _changed(request, await read(request, ModelChange)))


@routes.delete(MODEL, answer=References, status=200)
async def hide_model(request: web.Request) -> web.Response:
    """Hide a model, and tell what refers to it: it goes for good some days later, unless something still does."""
    model = await _changed(request, ModelChange(removed=True))
    return reply(await references_to(model, request.app[SERVICES].database))


@routes.get(f"{MODEL}/package", media_type="application/octet-stream")
async def send_package(request: web.Request) -> web.StreamResponse:
    """Send the package of a model: a tar with its stages."""
    model = await model_of(request)
    name = f"{model.name}-{model.id[:8]}.tar.gz"
    return await send_blob(request, model.package.digest, media_type=model.package.media_type, file_name=name)


@routes.get(f"{MODEL}/lineage", answer=Lineage)
async def show_lineage(request: web.Request) -> web.Response:
    """Show what a model was trained on, with what, how, and from which others."""
    return reply(await lineage_of(await model_of(request), request.app[SERVICES].database))


async def _changed(request: web.Request, change: ModelChange) -> Model:
    services = request.app[SERVICES]
    now = services.clock()

    def apply(model: Model) -> Model:
        _check_stage(model, change.recommended_stage)
        return changed_fields(model, change, "description", "recommended_stage", at=now)

    models = services.database.documents(Model)
    return await changed(request, models, lambda: model_of(request, hidden=True), apply)


def _check_stage(model: Model, wanted: str | None) -> None:
    if model.stage(wanted) is None:
        fault = Fault(f"The model has no stage {wanted!r}.", "/recommended_stage")
        stages = ", ".join(stage.name for stage in model.stages)
        raise Invalid("The stage does not exist.", step=f"The model has: {stages}.", faults=[fault])
