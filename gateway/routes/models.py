"""Models: what training made."""

from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from gateway.files import send_blob
from gateway.finding import project_of
from gateway.operations import Routes
from gateway.reading import PageQuery, page_size, read, read_query
from gateway.replies import changed, changed_fields, nothing, reply
from gateway.services import SERVICES
from gateway.views import Lineage
from schemas.datasets import Version
from schemas.errors import Fault, Invalid, NotFound
from schemas.models import Model, ModelChange
from schemas.pages import Page
from schemas.tasks import Task
from storage.ports import Query, Scalar

routes: Final = Routes("models")

MODEL: Final = "/v1/projects/{project}/models/{id}"
ANCESTORS_AT_MOST: Final = 100


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
    return reply(await _model_of(request))


@routes.patch(MODEL, body=ModelChange, answer=Model)
async def change_model(request: web.Request) -> web.Response:
    """Recommend another stage of a model, describe it, hide it, or show it again."""
    return reply(await _changed(request, await read(request, ModelChange)))


@routes.delete(MODEL)
async def hide_model(request: web.Request) -> web.Response:
    """Hide a model."""
    await _changed(request, ModelChange(removed=True))
    return nothing()


@routes.get(f"{MODEL}/package", media_type="application/octet-stream")
async def send_package(request: web.Request) -> web.StreamResponse:
    """Send the package of a model: a tar with its stages."""
    model = await _model_of(request)
    name = f"{model.name}-{model.id[:8]}.tar.gz"
    return await send_blob(request, model.package.digest, media_type=model.package.media_type, file_name=name)


@routes.get(f"{MODEL}/lineage", answer=Lineage)
async def show_lineage(request: web.Request) -> web.Response:
    """Show what a model was trained on, and from."""
    model = await _model_of(request)
    database = request.app[SERVICES].database
    tasks = await database.documents(Task).get_many([model.task])
    inputs = tasks[0].inputs if tasks else ()
    versions = await database.documents(Version).get_many([given.version for given in inputs])
    ancestors: list[Model] = []
    youngest = model
    while youngest.pretrained is not None and len(ancestors) < ANCESTORS_AT_MOST:
        parents = await database.documents(Model).get_many([youngest.pretrained.id])
        if not parents:
            break
        youngest = parents[0]
        ancestors.append(youngest)
    versions.sort(key=lambda version: (version.dataset_name, version.number))
    return reply(Lineage(model=model, inputs=inputs, versions=tuple(versions), ancestors=tuple(ancestors)))


async def _changed(request: web.Request, change: ModelChange) -> Model:
    services = request.app[SERVICES]
    now = services.clock()

    def apply(model: Model) -> Model:
        _check_stage(model, change.recommended_stage)
        return changed_fields(model, change, "description", "recommended_stage", at=now)

    models = services.database.documents(Model)
    return await changed(request, models, lambda: _model_of(request, hidden=True), apply)


def _check_stage(model: Model, wanted: str | None) -> None:
    if model.stage(wanted) is None:
        fault = Fault(f"The model has no stage {wanted!r}.", "/recommended_stage")
        stages = ", ".join(stage.name for stage in model.stages)
        raise Invalid("The stage does not exist.", step=f"The model has: {stages}.", faults=[fault])


async def _model_of(request: web.Request, *, hidden: bool = False) -> Model:
    project = await project_of(request)
    identity = request.match_info["id"]
    found = await request.app[SERVICES].database.documents(Model).get_many([identity])
    if not found or found[0].project != project.id or (found[0].removed_at and not hidden):
        raise NotFound("model", identity, step=f"GET /v1/projects/{project.name}/models lists those there are.")
    return found[0]
