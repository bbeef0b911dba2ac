"""Classes: the label list of a project."""

from collections import Counter
from typing import Final

from aiohttp import web

from gateway.finding import project_of
from gateway.operations import Routes
from gateway.problems import gathered
from gateway.reading import read
from gateway.replies import changed, reply
from gateway.services import SERVICES
from schemas.errors import Fault, NotFound
from schemas.projects import ClassBatch, ClassChange, ClassEntry, ClassList

routes: Final = Routes("classes")


@routes.get("/v1/projects/{project}/classes", answer=ClassList)
async def list_classes(request: web.Request) -> web.Response:
    """List the classes in order of creation."""
    return reply(await _classes_of(request))


@routes.post("/v1/projects/{project}/classes", body=ClassBatch, answer=ClassList)
async def add_classes(request: web.Request) -> web.Response:
    """Add classes, or none of them."""
    batch = await read(request, ClassBatch)
    _check_repeats(batch.classes)
    if batch.dry_run:
        now = await _classes_of(request)
        return reply(now.with_entries(batch.classes).model_copy(update={"generation": now.generation}))
    return reply(await _with(request, batch.classes))


@routes.patch("/v1/projects/{project}/classes/{name}", body=ClassChange, answer=ClassList)
async def change_class(request: web.Request) -> web.Response:
    """Give a class other aliases."""
    change = await read(request, ClassChange)
    name = request.match_info["name"].strip().lower()
    if all(entry.name != name for entry in (await _classes_of(request)).classes):
        raise NotFound("class", name, step="Name a class by its main name.")
    return reply(await _with(request, (ClassEntry(name=name, aliases=change.aliases),)))


async def _with(request: web.Request, entries: tuple[ClassEntry, ...]) -> ClassList:
    documents = request.app[SERVICES].database.documents(ClassList)

    def apply(classes: ClassList) -> ClassList:
        successor = classes.with_entries(entries)
        return classes if successor.classes == classes.classes else successor

    return await changed(request, documents, lambda: _classes_of(request), apply)


async def _classes_of(request: web.Request) -> ClassList:
    project = await project_of(request)
    return await request.app[SERVICES].database.documents(ClassList).get(project.id)


def _check_repeats(entries: tuple[ClassEntry, ...]) -> None:
    often = Counter(entry.name for entry in entries)
    faults = [
        Fault(f"{entry.name!r} is in the batch more than once.", f"/classes/{position}/name")
        for position, entry in enumerate(entries)
        if often[entry.name] > 1
    ]
    gathered(faults, "Some classes are given twice; nothing was changed.", step="Give each class once.")
