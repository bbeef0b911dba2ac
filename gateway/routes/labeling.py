"""Labeling jobs: what is to be labeled, and the answers."""

from http import HTTPStatus
from typing import Final

from aiohttp import web

from gateway.finding import project_of
from gateway.life import wake
from gateway.links import image_link
from gateway.operations import Routes
from gateway.problems import Refused
from gateway.reading import PageQuery, page_size, read, read_query
from gateway.replies import reply
from gateway.services import CALLER, ROLE, SERVICES
from schemas.datasets import Version
from schemas.errors import NotFound
from schemas.keys import Role, Scope
from schemas.labeling import Answers, ItemState, ItemView, JobState, JobStatus, LabelingItem, LabelingJob
from schemas.pages import Page
from schemas.projects import ClassList
from schemas.tasks import Task
from storage.labeling.answers import JobClosed, keep_answers, status_of
from storage.labeling.closing import closed
from storage.ports import Query, Scalar

routes: Final = Routes("labeling")

JOB: Final = "/v1/projects/{project}/labeling/{id}"


class JobQuery(PageQuery):
    """Which labeling jobs are listed."""

    state: JobState | None = None
    task: str | None = None


class ItemQuery(PageQuery):
    """Which items of a job are listed."""

    state: ItemState | None = None


@routes.get("/v1/projects/{project}/labeling", query=JobQuery, answer=Page[LabelingJob])
async def list_jobs(request: web.Request) -> web.Response:
    """List the labeling jobs of a project, the newest first."""
    query = read_query(request, JobQuery)
    equal: dict[str, Scalar] = {"project": (await project_of(request)).id}
    equal |= {name: value for name in ("state", "task") if (value := getattr(query, name)) is not None}
    jobs = request.app[SERVICES].database.documents(LabelingJob)
    limit = page_size(request, query)
    page = await jobs.list(Query(equal=equal), order="-created_at", limit=limit, cursor=query.cursor)
    return reply(Page[LabelingJob](items=tuple(_shown(request, job) for job in page.items), next=page.next))


@routes.get(JOB, answer=JobStatus)
async def show_job(request: web.Request) -> web.Response:
    """Show a labeling job and how far it is."""
    return await _status(request, await _job_of(request))


@routes.get(f"{JOB}/items", query=ItemQuery, answer=Page[ItemView])
async def list_items(request: web.Request) -> web.Response:
    """List what is to be labeled, with links to the images that work without a key."""
    query = read_query(request, ItemQuery)
    services = request.app[SERVICES]
    job = await _job_of(request)
    version = await services.database.documents(Version).get(job.version)
    equal: dict[str, Scalar] = {"job": job.id}
    equal |= {} if query.state is None else {"state": query.state}
    items = services.database.documents(LabelingItem)
    limit = page_size(request, query)
    page = await items.list(Query(equal=equal), order="position", limit=limit, cursor=query.cursor)
    project = request.match_info["project"]
    views = [
        ItemView(
            **{name: getattr(item, name) for name in LabelingItem.model_fields},
            image=image_link(services, project, version, item.asset),
        )
        for item in page.items
    ]
    return reply(Page[ItemView](items=tuple(views), next=page.next))


@routes.post(f"{JOB}/annotations", body=Answers, answer=JobStatus)
async def answer_job(request: web.Request) -> web.Response:
    """Answer for some assets; when all are answered the job closes."""
    answers = await read(request, Answers)
    return await _answer(request, await _job_of(request), answers, author=request[CALLER].name)


@routes.post(f"{JOB}/close", answer=JobStatus)
async def close_job(request: web.Request) -> web.Response:
    """Close a job: the assets that were answered become the new version."""
    return await _status(request, await _close(request, await _job_of(request)))


@routes.post("/v1/hooks/api/{token}", body=Answers, answer=JobStatus, public=True)
async def answer_hook(request: web.Request) -> web.Response:
    """Answer for some assets of the job whose secret is in the address; no key is needed."""
    token = request.match_info["token"]
    jobs = request.app[SERVICES].database.documents(LabelingJob)
    page = await jobs.list(Query(equal={"token": token}), limit=1)
    if not page.items:
        raise NotFound("labeling job of this address", "…", step="Take the address from the job.")
    answers = await read(request, Answers)
    return await _answer(request, page.items[0], answers, author=page.items[0].tool)


async def _answer(request: web.Request, job: LabelingJob, answers: Answers, *, author: str) -> web.Response:
    services = request.app[SERVICES]
    if job.state is JobState.CLOSED:
        await wake(request, job.task)  # whoever closed it may have been stopped before it woke the task
    elif (await services.database.documents(Task).get(job.task)).is_final:
        job = await _close(request, job)  # whoever ended the task was stopped before that
    names = (await services.database.documents(ClassList).get(job.project)).main_names()
    now = services.clock()
    try:
        await keep_answers(answers, job, names=names, author=author, at=now, database=services.database)
    except JobClosed as error:
        detail = "The labeling job is closed; its answers are being made into a version."
        step = "See the task for what came of it, or ask for a new label task."
        raise Refused(HTTPStatus.CONFLICT, detail, step=step) from error
    status = await status_of(job, services.database)
    if not status.open:
        job = await _close(request, job)
    return await _status(request, job)


async def _close(request: web.Request, job: LabelingJob) -> LabelingJob:
    services = request.app[SERVICES]
    job = await closed(job, jobs=services.database.documents(LabelingJob), at=services.clock())
    await wake(request, job.task)
    return job


async def _status(request: web.Request, job: LabelingJob) -> web.Response:
    return reply(await status_of(_shown(request, job), request.app[SERVICES].database))


def _shown(request: web.Request, job: LabelingJob) -> LabelingJob:
    """Return a job without its secret, unless the caller may answer it."""
    may_answer = ROLE in request and request[ROLE] is not Role.VIEWER
    is_for_it = CALLER in request and (not request[CALLER].scopes or Scope.LABELING in request[CALLER].scopes)
    return job if may_answer and is_for_it else job.model_copy(update={"token": ""})


async def _job_of(request: web.Request) -> LabelingJob:
    project = await project_of(request)
    identity = request.match_info["id"]
    found = await request.app[SERVICES].database.documents(LabelingJob).get_many([identity])
    if not found or found[0].project != project.id:
        raise NotFound("labeling job", identity, step=f"GET /v1/projects/{project.name}/labeling lists them.")
    return found[0]
