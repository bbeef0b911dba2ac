"""Tasks: what the service is asked to do."""

from http import HTTPStatus
from typing import Final

from aiohttp import web
from pydantic import TypeAdapter

from gateway.acceptance import check, check_caller
from gateway.files import send_blob
from gateway.finding import project_of, task_of
from gateway.idempotency import fingerprint_of, identity_of
from gateway.life import cancel, keep, kept
from gateway.operations import Routes
from gateway.problems import Refused
from gateway.reading import PageQuery, page_size, read, read_query
from gateway.replies import reply
from gateway.services import CALLER, SERVICES
from schemas.blobs import BlobRef
from schemas.errors import NotFound
from schemas.live_logs import LiveLog
from schemas.pages import Page
from schemas.reports import Report
from schemas.task_states import FINAL, TaskState
from schemas.task_types import AskedParameters
from schemas.tasks import Task
from storage.ports import Query, Scalar

routes: Final = Routes("tasks")

PARAMETERS: Final[TypeAdapter[AskedParameters]] = TypeAdapter(AskedParameters)


class TaskQuery(PageQuery):
    """Which tasks are listed."""

    state: tuple[TaskState, ...] = ()
    type: tuple[str, ...] = ()


@routes.post("/v1/projects/{project}/tasks", body=PARAMETERS, answer=Task, status=202, created=True, accepts_key=True)
async def create_task(request: web.Request) -> web.Response:
    """Ask for a task; it is kept when this is answered, and runs when a worker is free."""
    parameters = await read(request, PARAMETERS)
    services = request.app[SERVICES]
    identity, fingerprint = identity_of(request), await fingerprint_of(request)
    # What it names may have changed since; the answer is that of the first time all the same.
    if fingerprint and (known := await kept(services, identity, fingerprint)) is not None:
        return _accepted(known)
    project = await project_of(request)
    checked = await check(parameters, project, services, caller=request[CALLER])
    now = services.clock()
    task = Task(
        id=identity,
        project=project.id,
        parameters=checked.parameters,
        inputs=checked.inputs,
        fingerprint=fingerprint,
        created_by=request[CALLER].name,
        created_at=now,
        updated_at=now,
    )
    return _accepted(await keep(request, task.accepted()))


@routes.get("/v1/projects/{project}/tasks", query=TaskQuery, answer=Page[Task])
async def list_tasks(request: web.Request) -> web.Response:
    """List the tasks of a project, the newest first."""
    query = read_query(request, TaskQuery)
    project = await project_of(request)
    equal: dict[str, Scalar | tuple[Scalar, ...]] = {"project": project.id}
    equal |= {"state": query.state} if query.state else {}
    equal |= {"parameters.type": query.type} if query.type else {}
    tasks = request.app[SERVICES].database.documents(Task)
    limit = page_size(request, query)
    return reply(await tasks.list(Query(equal=equal), order="-created_at", limit=limit, cursor=query.cursor))


@routes.get("/v1/tasks/{id}", answer=Task)
async def show_task(request: web.Request) -> web.Response:
    """Show a task."""
    return reply(await task_of(request))


@routes.post("/v1/tasks/{id}/cancel", answer=Task, status=202)
async def cancel_task(request: web.Request) -> web.Response:
    """Cancel a task; one that runs is asked to stop and ends within seconds."""
    return reply(await cancel(request, request.match_info["id"]), status=202)


@routes.post("/v1/tasks/{id}/retry", answer=Task, status=202, created=True, accepts_key=True)
async def retry_task(request: web.Request) -> web.Response:
    """Ask again for what a failed or cancelled task was asked, with the versions that it named then."""
    task = await task_of(request)
    if task.state not in FINAL - {TaskState.SUCCEEDED}:
        detail = f"The task is {task.state}; only a failed or cancelled one can be retried."
        raise Refused(HTTPStatus.CONFLICT, detail, step="Wait for its end, or ask for a new task.")
    check_caller(task.parameters, request[CALLER])
    again = task.retried(task=identity_of(request), by=request[CALLER].name, at=request.app[SERVICES].clock())
    return _accepted(await keep(request, again))


@routes.get("/v1/tasks/{id}/log", media_type="text/plain")
async def show_log(request: web.Request) -> web.StreamResponse:
    """Send what the executor of a task wrote; while it runs, the last of it, some seconds old at most."""
    task = await task_of(request)
    if task.log is None:
        for live in await request.app[SERVICES].database.documents(LiveLog).get_many([task.id]):
            return web.Response(text=live.shown(), content_type="text/plain", headers={"Cache-Control": "no-store"})
    return await _file(request, task, task.log, kind="log", media_type="text/plain; charset=utf-8")


@routes.get("/v1/tasks/{id}/report", answer=Report)
async def show_report(request: web.Request) -> web.StreamResponse:
    """Send everything that a task has to say."""
    task = await task_of(request)
    return await _file(request, task, task.report, kind="report", media_type="application/json")


@routes.get("/v1/tasks/{id}/archive", media_type="application/octet-stream")
async def send_archive(request: web.Request) -> web.StreamResponse:
    """Send the archive that an export wrote."""
    task = await task_of(request)
    archive = task.result.archive
    media_type = "application/octet-stream" if archive is None else archive.media_type
    suffix = {"application/zip": ".zip", "application/gzip": ".tar.gz", "application/x-tar": ".tar"}.get(media_type, "")
    name = f"{task.id}{suffix}"
    return await _file(request, task, archive, kind="archive", media_type=media_type, file_name=name)


async def _file(
    request: web.Request, task: Task, blob: BlobRef | None, *, kind: str, media_type: str, file_name: str = ""
) -> web.StreamResponse:
    if blob is None:
        step = "This task wrote none." if task.is_final else f"Wait: the task is {task.state}."
        raise NotFound(f"{kind} of the task", task.id, step=step)
    return await send_blob(request, blob.digest, media_type=media_type, file_name=file_name, immutable=False)


def _accepted(task: Task) -> web.Response:
    return reply(task, status=202, headers={"Location": f"/v1/tasks/{task.id}"})
