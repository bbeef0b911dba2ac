"""Finding what an address names: a project, a dataset, a version, a task."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from gateway.problems import gathered
from gateway.services import CALLER, SERVICES
from schemas.datasets import Dataset, Version
from schemas.errors import Fault, Invalid, NotFound
from schemas.models import Model
from schemas.projects import Project
from schemas.refs import Ref
from schemas.tasks import Task
from storage.datasets.refs import resolve
from storage.ports import Database, Query

REF: Final[TypeAdapter[str]] = TypeAdapter(Ref)


async def project_of(request: web.Request, *, hidden: bool = False) -> Project:
    """Return the project that an address names; with ``hidden``, also one that was removed. Raises NotFound."""
    return await project_named(request.app[SERVICES].database, request.match_info["project"], hidden=hidden)


async def readable_project(request: web.Request, name: str, *, hidden: bool = False) -> Project:
    """Return the project of a name if the caller may read it; raise NotFound."""
    project = await project_named(request.app[SERVICES].database, name, hidden=hidden)
    if request[CALLER].role_in(project.id) is None:
        raise no_project(name)
    return project


async def readable_projects(
    request: web.Request, names: Mapping[str, str], *, whose: str, hidden: bool = False
) -> list[Project]:
    """Return the projects of some names, each after its JSON pointer; raise Invalid naming those that are not there."""
    projects: list[Project] = []
    faults: list[Fault] = []
    for pointer, name in names.items():
        try:
            projects.append(await readable_project(request, name, hidden=hidden))
        except NotFound as error:
            faults.append(Fault(error.detail, pointer))
    gathered(
        faults, f"The {whose} names projects that do not exist.", step="Name projects that GET /v1/projects lists."
    )
    return projects


async def project_named(database: Database, name: str, *, hidden: bool = False) -> Project:
    """Return the project of a name; raise NotFound."""
    page = await database.documents(Project).list(Query(equal={"name": name}), limit=1)
    if not page.items or (page.items[0].removed_at and not hidden):
        raise no_project(name)
    return page.items[0]


def no_project(name: str) -> NotFound:
    """Return the error of a project that is not there, or that the caller may not know of."""
    return NotFound("project", name, step="GET /v1/projects lists those there are.")


async def dataset_of(request: web.Request, *, hidden: bool = False) -> Dataset:
    """Return the dataset that an address names; with ``hidden``, also one that was removed. Raises NotFound."""
    project = await project_of(request)
    name = request.match_info["name"]
    query = Query(equal={"project": project.id, "name": name})
    page = await request.app[SERVICES].database.documents(Dataset).list(query, limit=1)
    if not page.items or (page.items[0].removed_at and not hidden):
        step = f"GET /v1/projects/{project.name}/datasets lists those there are."
        raise NotFound("dataset", name, step=step)
    return page.items[0]


async def version_of(request: web.Request) -> Version:
    """Return the version that an address names by its number or a tag; raise NotFound."""
    project = await project_of(request)
    ref = f"{request.match_info['name']}@{request.match_info['ref']}"
    try:
        return await resolve(REF.validate_python(ref), project.id, request.app[SERVICES].database)
    except (ValidationError, Invalid) as error:
        raise NotFound("version", ref, step="Name a version by its number or a tag.") from error


async def numbered_version(request: web.Request, dataset: Dataset, number: int) -> Version:
    """Return the version of a number, even one that was removed; raise NotFound."""
    query = Query(equal={"dataset": dataset.id, "number": number})
    page = await request.app[SERVICES].database.documents(Version).list(query, limit=1)
    if not page.items:
        raise NotFound("version", f"{dataset.name}@{number}", step="Name one of the versions that are listed.")
    return page.items[0]


async def model_of(request: web.Request, *, hidden: bool = False) -> Model:
    """Return the model that an address names; with ``hidden``, also one that was removed. Raises NotFound."""
    project = await project_of(request)
    identity = request.match_info["id"]
    found = await request.app[SERVICES].database.documents(Model).get_many([identity])
    if not found or found[0].project != project.id or (found[0].removed_at and not hidden):
        raise NotFound("model", identity, step=f"GET /v1/projects/{project.name}/models lists those there are.")
    return found[0]


async def task_of(request: web.Request) -> Task:
    """Return the task that an address names; raise NotFound."""
    return await request.app[SERVICES].database.documents(Task).get(request.match_info["id"])
