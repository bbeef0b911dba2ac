"""A stand-in for LabelFree that takes nothing but what YMIR's own client sent: anything else is a fault of the test.

LabelFree cannot be installed where the tests run. What is known of its API is how YMIR 2.x used it; each request is
checked against that: path, query, headers, every field and its type. Answers have the fields that client read.
"""

import asyncio
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar
from xml.etree.ElementTree import Element

from aiohttp import web
from aiohttp.typedefs import Handler
from defusedxml.ElementTree import fromstring
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

ACCEPTED: Final = "a-token-of-label-free"
IN_TOOL: Final = "/data/shared"
SIZE: Final = (100, 80)

Json = dict[str, Any]
B = TypeVar("B", bound="Strict")


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NewProject(Strict):
    title: Annotated[str, Field(min_length=1)]
    collaborators: list[str]
    label_config: Annotated[str, Field(min_length=1)]
    expert_instruction: str
    project_type: Literal[1, 2, 4]
    multimodal: bool


class NewStorage(Strict):
    path: Annotated[str, Field(pattern=f"^{IN_TOOL}/label_[0-9a-f]{{32}}/Images$")]
    use_blob_urls: Literal[True]
    title: Literal["input_dir"]
    project: int
    regex_filter: Literal[".*(jpe?g|png|bmp)"]
    description: Annotated[str, Field(min_length=1)]
    use_pre_annotation: bool


class NewExportStorage(Strict):
    path: Annotated[str, Field(pattern=f"^{IN_TOOL}/label_[0-9a-f]{{32}}/label_studio_output$")]
    use_blob_urls: Literal[True]
    title: Literal["output_dir"]
    project: int
    regex_filter: Literal[".*(jpe?g|png|bmp)"]
    description: Annotated[str, Field(min_length=1)]


class NewExport(Strict):
    project_id: int
    export_type: Literal[4]
    export_image: Literal[False]


class Drawn(BaseModel):
    """One object as somebody drew it."""

    name: str
    bbox: tuple[float, float, float, float]
    segmentation: Any = []
    iscrowd: int = 0


@dataclass
class Project:
    about: NewProject
    tasks: dict[str, list[Drawn] | None] = field(default_factory=dict)
    """By the name of the image; None while nobody labeled it."""
    suggested: Json = field(default_factory=dict)
    """The COCO document that annotators start from."""
    exports: dict[str, bytes] = field(default_factory=dict)
    polls: dict[str, int] = field(default_factory=dict)
    synced: list[int] = field(default_factory=list)
    """The export storages that were synced."""


@dataclass
class LabelFreeServer:
    """LabelFree as the worker sees it, and the people who label there."""

    folder: Path
    """The shared folder, as the tests see it."""
    url: str = ""
    projects: dict[int, Project] = field(default_factory=dict)
    storages: dict[int, NewStorage | NewExportStorage] = field(default_factory=dict)
    shown: dict[Path, int] = field(default_factory=dict)
    """By which storage an image came into a project."""
    faults: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    tells_ids: bool = True
    """Whether the answer to a request for an export has its id."""
    pending: int = 0
    """How often an export is asked about before it is made."""
    broken: int = 0
    """The status that every call is answered with."""
    archive: bytes = b""
    """What an export is instead."""
    prefix: str = "None"
    missing: frozenset[str] = frozenset()
    """Assets that LabelFree does not find in its folder, yet."""
    hang_at: int = 0
    """The call at which whoever waits is told, and nothing is answered any more."""
    hangs_done: bool = True
    """Whether that call has done its work."""
    hung: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def project(self) -> Project:
        """The one project that has images."""
        (project,) = [project for project in self.projects.values() if project.tasks]
        return project

    def forget(self) -> None:
        """Have nothing any more."""
        self.hung.clear()
        for kept in (self.projects, self.storages, self.shown, self.calls):
            kept.clear()

    def name_of(self, asset: str) -> str:
        (name,) = [name for name in self.project.tasks if asset in name]
        return name

    def label(self, asset: str, *drawn: Drawn) -> None:
        self.project.tasks[self.name_of(asset)] = [*drawn]

    def delete(self, asset: str) -> None:
        del self.project.tasks[self.name_of(asset)]

    def exported(self, project: Project) -> bytes:
        """Return the zip of what was labeled so far."""
        labeled = {name: drawn for name, drawn in project.tasks.items() if drawn is not None}
        names = [label.attrib["value"] for label in fromstring(project.about.label_config).iter("Label")]
        names += sorted({one.name for drawn in labeled.values() for one in drawn} - {*names})
        numbers = {name: number for number, name in enumerate(labeled, start=1_000)}
        annotations = [
            {
                "id": number,
                "image_id": numbers[name],
                "category_id": names.index(one.name) + 1,
                "bbox": one.bbox,
                "segmentation": one.segmentation,
                "area": one.bbox[2] * one.bbox[3],
                "iscrowd": one.iscrowd,
            }
            for number, (name, one) in enumerate(((name, one) for name in labeled for one in labeled[name] or ()), 1)
        ]
        document = {
            "info": {"description": "LabelFree"},
            "licenses": [],
            "images": [
                {"id": number, "file_name": name, "width": SIZE[0], "height": SIZE[1]}
                for name, number in numbers.items()
            ],
            "annotations": annotations,
            "categories": [
                {"id": number, "name": name, "supercategory": name} for number, name in enumerate(names, start=1)
            ],
        }
        return zipped({"annotations/stuff_images.json": json.dumps(document).encode()})


def zipped(members: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return written.getvalue()


class WrongError(Exception):
    """A request that YMIR's own client would not have made."""


SERVER: Final = web.AppKey("server", LabelFreeServer)
routes: Final = web.RouteTableDef()


@web.middleware
async def strictly(request: web.Request, handler: Handler) -> web.StreamResponse:
    server = request.app[SERVER]
    server.calls.append(f"{request.method} {request.path}")
    number = len(server.calls)
    if number == server.hang_at and not server.hangs_done:
        await _hang(server)
    if request.headers.get("Authorization") != f"Bearer {ACCEPTED}":
        return web.json_response({"detail": "Invalid token."}, status=HTTPStatus.UNAUTHORIZED)
    if server.broken:
        return web.json_response({"detail": "broken"}, status=server.broken)
    try:
        response = await handler(request)
    except WrongError as error:
        server.faults.append(f"{request.method} {request.path}: {error}")
        return web.json_response({"detail": str(error)}, status=HTTPStatus.BAD_REQUEST)
    except web.HTTPException:
        if request.match_info.http_exception is not None:
            server.faults.append(f"{request.method} {request.path}: there is no such call")
        raise
    if number == server.hang_at:
        await _hang(server)
    return response


async def _hang(server: LabelFreeServer) -> None:
    server.hung.set()
    await asyncio.Event().wait()


@routes.post("/api/projects")
async def make_project(request: web.Request) -> web.Response:
    about = await _body(request, NewProject)
    _check_configuration(fromstring(about.label_config))
    server = request.app[SERVER]
    identity = len(server.projects) + 1
    server.projects[identity] = Project(about)
    return web.json_response({"id": identity, **about.model_dump()}, status=HTTPStatus.CREATED)


@routes.get("/api/projects/{id:[0-9]+}")
async def show_project(request: web.Request) -> web.Response:
    await _nothing(request)
    project = _project(request, int(request.match_info["id"]))
    labeled = sum(drawn is not None for drawn in project.tasks.values())
    return web.json_response({"num_tasks_with_annotations": labeled, "task_number": len(project.tasks)})


@routes.put("/api/projects/{id:[0-9]+}")
async def delete_unlabeled(request: web.Request) -> web.Response:
    await _nothing(request, query={"delete_unlabeled_task": "true"})
    project = _project(request, int(request.match_info["id"]))
    project.tasks = {name: drawn for name, drawn in project.tasks.items() if drawn is not None}
    return web.json_response({})


@routes.post("/api/storages/localfiles")
async def make_storage(request: web.Request) -> web.Response:
    return await _storage(request, NewStorage)


@routes.post("/api/storages/export/localfiles")
async def make_export_storage(request: web.Request) -> web.Response:
    return await _storage(request, NewExportStorage)


@routes.post("/api/storages/localfiles/{id:[0-9]+}/sync")
async def sync(request: web.Request) -> web.Response:
    await _nothing(request)
    server, identity = request.app[SERVER], int(request.match_info["id"])
    storage = server.storages.get(identity)
    if not isinstance(storage, NewStorage):
        message = "there is no such storage"
        raise WrongError(message)
    project = _project(request, storage.project)
    folder = server.folder / Path(storage.path).relative_to(IN_TOOL)
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and re.match(storage.regex_filter, name) and not _is_missing(name, server):
            if not re.fullmatch("([0-9a-f]{2})/[0-9a-f]{62}\\1\\.(jpg|png|bmp)", name):
                message = f"{name} is where no image should be"
                raise WrongError(message)
            if server.shown.setdefault(path, identity) != identity:
                message = f"{name} would be shown twice, since another storage has it, too"
                raise WrongError(message)
            project.tasks.setdefault(name, None)
    if storage.use_pre_annotation:
        project.suggested = json.loads((folder / "coco-annotations.json").read_bytes())
    return web.json_response({})


@routes.post("/api/storages/export/localfiles/{id:[0-9]+}/sync")
async def sync_export(request: web.Request) -> web.Response:
    await _nothing(request)
    server, identity = request.app[SERVER], int(request.match_info["id"])
    storage = server.storages.get(identity)
    if not isinstance(storage, NewExportStorage):
        message = "there is no such storage"
        raise WrongError(message)
    if not (server.folder / Path(storage.path).relative_to(IN_TOOL)).is_dir():
        message = "its folder is not there"
        raise WrongError(message)
    server.projects[storage.project].synced.append(identity)
    return web.json_response({})


@routes.get("/api/v1/export")
async def list_exports(request: web.Request) -> web.Response:
    await _nothing(request, query={"project_id": None, "page_size": "1"})
    project = _project(request, int(request.query["project_id"]))
    newest = [{"task_id": identity} for identity in reversed(project.exports)][:1]
    return web.json_response({"data": {"export_tasks": newest}})


@routes.post("/api/v1/export")
async def make_export(request: web.Request) -> web.Response:
    wanted = await _body(request, NewExport)
    server, project = request.app[SERVER], _project(request, wanted.project_id)
    if not project.synced:
        message = "its export storage was not synced"
        raise WrongError(message)
    identity = f"{wanted.project_id:08}-{len(project.exports):04}"
    project.exports[identity] = server.archive or server.exported(project)
    return web.json_response({"data": {"task_id": identity} if server.tells_ids else {}})


@routes.get("/api/v1/export/{id}")
async def show_export(request: web.Request) -> web.Response:
    await _nothing(request)
    server, identity = request.app[SERVER], request.match_info["id"]
    project = next((one for one in server.projects.values() if identity in one.exports), None)
    if project is None:
        raise web.HTTPNotFound(text="no such export")
    project.polls[identity] = project.polls.get(identity, 0) + 1
    if project.polls[identity] <= server.pending:
        return web.json_response({"data": {"task_id": identity, "store_path": None}})
    return web.json_response({"data": {"task_id": identity, "store_path": f"{server.prefix}/exports/{identity}.zip"}})


@routes.get("/exports/{id}.zip")
async def send_export(request: web.Request) -> web.Response:
    await _nothing(request)
    identity = request.match_info["id"]
    for project in request.app[SERVER].projects.values():
        if identity in project.exports:
            return web.Response(body=project.exports[identity], content_type="application/zip")
    raise web.HTTPNotFound(text="no such file")


async def _storage(request: web.Request, kind: type[NewStorage] | type[NewExportStorage]) -> web.Response:
    storage = await _body(request, kind)
    _project(request, storage.project)
    server = request.app[SERVER]
    identity = len(server.storages) + 100
    server.storages[identity] = storage
    return web.json_response({"id": identity}, status=HTTPStatus.CREATED)


async def _body(request: web.Request, kind: type[B]) -> B:
    if request.query_string or request.content_type != "application/json":
        message = f"a query {request.query_string!r}, or a body of {request.content_type}"
        raise WrongError(message)
    try:
        return TypeAdapter(kind).validate_json(await request.read())
    except ValidationError as error:
        raise WrongError(str(error)) from error


async def _nothing(request: web.Request, *, query: dict[str, str | None] | None = None) -> None:
    """Check that there is no body, and the query that is wanted; None stands for any number."""
    wanted = query or {}
    given = dict(request.query)
    same = given.keys() == wanted.keys() and all(
        given[key] == value if value is not None else given[key].isdecimal() for key, value in wanted.items()
    )
    if await request.read() or not same or len(request.query) != len(given):
        message = f"a body, or the query {request.query_string!r}"
        raise WrongError(message)


def _project(request: web.Request, identity: int) -> Project:
    projects = request.app[SERVER].projects
    if identity not in projects:
        raise web.HTTPNotFound(text="no such project")
    return projects[identity]


def _is_missing(name: str, server: LabelFreeServer) -> bool:
    return Path(name).stem in server.missing


def _check_configuration(view: Element) -> None:
    image, labels = [*view]
    wanted = [
        (view, "View", {}),
        (image, "Image", {"name": "image", "value": "$image", "crosshair": "true", "maxwidth": "100%"}),
        (labels, "RectangleLabels", {"name": "label", "toName": "image"}),
        *((label, "Label", {"value": label.attrib.get("value", ""), "background": "green"}) for label in labels),
    ]
    for element, tag, attributes in wanted:
        if element.tag != tag or element.attrib != attributes:
            message = f"{element.tag} {element.attrib} in the configuration"
            raise WrongError(message)


@asynccontextmanager
async def label_free(folder: Path) -> AsyncIterator[LabelFreeServer]:
    """Serve a LabelFree that shares a folder; at the end nothing may have been asked of it that it has not."""
    server = LabelFreeServer(folder)
    app = web.Application(middlewares=[strictly])
    app[SERVER] = server
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
    assert server.faults == []
