"""Executors: the registered programs that train, mine and infer."""

from typing import Final

from aiohttp import web

from gateway.idempotency import identity_of
from gateway.operations import Routes
from gateway.reading import PageQuery, page_size, read, read_query
from gateway.replies import changed, nothing, reply
from gateway.services import SERVICES
from schemas.errors import Conflict, NotFound
from schemas.executors import Executor, ExecutorChange, ExecutorSubmission
from schemas.pages import Page
from storage.contested import added
from storage.ports import Query

routes: Final = Routes("executors")

EXECUTOR: Final = "/v1/executors/{name}"
# What does not change with the files or the submission: how it is known.
KNOWN_BY: Final = frozenset({"id", "generation", "name", "runtime", "reference", "created_at"})
READ_ANEW: Final = tuple(sorted(set(Executor.model_fields) - KNOWN_BY))


@routes.get("/v1/executors", query=PageQuery, answer=Page[Executor])
async def list_executors(request: web.Request) -> web.Response:
    """List the executors by name."""
    query = read_query(request, PageQuery)
    executors = request.app[SERVICES].database.documents(Executor)
    return reply(await executors.list(order="name", limit=page_size(request, query), cursor=query.cursor))


@routes.post("/v1/executors", body=ExecutorSubmission, answer=Executor, status=201, created=True)
async def register_executor(request: web.Request) -> web.Response:
    """Register an executor; its templates are read from it."""
    submission = await read(request, ExecutorSubmission)
    services = request.app[SERVICES]
    inspected = await services.inspect_executor(submission)
    executor = inspected.model_copy(update={"id": identity_of(request), "created_at": services.clock()})
    executors = services.database.documents(Executor)
    try:
        executor = await added(executor, executors)
    except Conflict as conflict:
        step = "Choose another name, or change the executor of this one."
        raise Conflict("executor", executor.name, key=conflict.key, step=step) from conflict
    return reply(executor, status=201, headers={"Location": f"/v1/executors/{executor.name}"})


@routes.get(EXECUTOR, answer=Executor)
async def show_executor(request: web.Request) -> web.Response:
    """Show an executor with its templates."""
    return reply(await _executor_of(request))


@routes.patch(EXECUTOR, body=ExecutorChange, answer=Executor)
async def change_executor(request: web.Request) -> web.Response:
    """Change an executor, and read its templates again."""
    change = await read(request, ExecutorChange)
    services = request.app[SERVICES]
    was = await _executor_of(request)
    submission = ExecutorSubmission(
        name=was.name,
        runtime=was.runtime,
        reference=was.reference,
        description=was.description if change.description is None else change.description,
        protocol=was.protocol if change.protocol is None else change.protocol,
        limits=was.limits if change.limits is None else change.limits,
    )
    inspected = await services.inspect_executor(submission)
    changes = {name: getattr(inspected, name) for name in READ_ANEW}

    def apply(executor: Executor) -> Executor:
        return executor.successor(**changes)

    return reply(await changed(request, services.database.documents(Executor), lambda: _executor_of(request), apply))


@routes.delete(EXECUTOR)
async def remove_executor(request: web.Request) -> web.Response:
    """Forget an executor; tasks that name it and have not begun will fail."""
    executor = await _executor_of(request)
    await request.app[SERVICES].database.documents(Executor).remove(executor.id)
    return nothing()


async def _executor_of(request: web.Request) -> Executor:
    name = request.match_info["name"]
    executors = request.app[SERVICES].database.documents(Executor)
    page = await executors.list(Query(equal={"name": name}), limit=1)
    if not page.items:
        raise NotFound("executor", name, step="GET /v1/executors lists those that are registered.")
    return page.items[0]
