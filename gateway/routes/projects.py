"""Projects: the namespaces of everything else."""

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from gateway.finding import project_of
from gateway.idempotency import identity_of
from gateway.operations import Routes
from gateway.reading import PageQuery, page_size, read, read_query
from gateway.replies import changed, changed_fields, nothing, reply
from gateway.services import CALLER, SERVICES
from schemas.errors import Conflict
from schemas.pages import Page
from schemas.projects import ClassEntry, ClassList, Project, ProjectChange, ProjectSubmission
from storage.contested import added
from storage.ports import Database, Query, Scalar

routes: Final = Routes("projects")


class ProjectQuery(PageQuery):
    """Which projects are listed."""

    removed: bool = False
    """Those that were removed, instead of those that are there."""


@routes.get("/v1/projects", query=ProjectQuery, answer=Page[Project])
async def list_projects(request: web.Request) -> web.Response:
    """List projects by name."""
    query = read_query(request, ProjectQuery)
    caller = request[CALLER]
    granted = {grant.project: grant.name for grant in caller.grants} if caller.role is None else None
    seen: dict[str, Scalar | Sequence[Scalar]] = {} if granted is None else {"name": sorted(granted.values())}
    wanted = Query(equal={**seen, "removed_at": None})
    if query.removed:
        wanted = Query(equal=seen, at_least={"removed_at": ""})
    documents = request.app[SERVICES].database.documents(Project)
    page = await documents.list(wanted, order="name", limit=page_size(request, query), cursor=query.cursor)
    items = tuple(project for project in page.items if granted is None or project.id in granted)
    return reply(Page[Project](items=items, next=page.next))


@routes.post("/v1/projects", body=ProjectSubmission, answer=Project, status=201, created=True)
async def create_project(request: web.Request) -> web.Response:
    """Make a project."""
    submission = await read(request, ProjectSubmission)
    services = request.app[SERVICES]
    given = submission.model_dump(exclude={"classes"})
    project = Project(id=identity_of(request), created_at=services.clock(), **given)
    entries = tuple(ClassEntry(name=name) for name in dict.fromkeys(submission.classes))
    classes = ClassList(id=project.id).with_entries(entries)
    project = await _keep(services.database, project, classes.model_copy(update={"generation": 0}))
    return reply(project, status=201, headers={"Location": f"/v1/projects/{project.name}"})


async def _keep(database: Database, project: Project, classes: ClassList) -> Project:
    projects, lists = database.documents(Project), database.documents(ClassList)
    # The classes first: they are found through the project only.
    await lists.add_many([classes])
    try:
        return await added(project, projects)
    except Conflict as conflict:
        await lists.remove(project.id)
        step = "Choose another name; one of a removed project is taken until that is shown again."
        raise Conflict("project", project.name, key=conflict.key, step=step) from conflict


@routes.get("/v1/projects/{project}", answer=Project)
async def show_project(request: web.Request) -> web.Response:
    """Show a project."""
    return reply(await project_of(request))


@routes.patch("/v1/projects/{project}", body=ProjectChange, answer=Project)
async def change_project(request: web.Request) -> web.Response:
    """Describe a project, set its targets, hide it, or show it again."""
    return reply(await _changed(request, await read(request, ProjectChange)))


@routes.delete("/v1/projects/{project}")
async def hide_project(request: web.Request) -> web.Response:
    """Hide a project and all that is in it."""
    await _changed(request, ProjectChange(removed=True))
    return nothing()


async def _changed(request: web.Request, change: ProjectChange) -> Project:
    services = request.app[SERVICES]
    now = services.clock()

    def apply(project: Project) -> Project:
        return changed_fields(project, change, "description", "targets", at=now)

    return await changed(request, services.database.documents(Project), lambda: project_of(request, hidden=True), apply)
