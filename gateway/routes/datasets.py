"""Datasets and their tags."""

from typing import Final

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from gateway.finding import dataset_of, numbered_version, project_of
from gateway.operations import Routes
from gateway.reading import PageQuery, message_of, page_size, read, read_query
from gateway.replies import changed, changed_fields, nothing, reply
from gateway.searching import Search, SearchQuery
from gateway.services import SERVICES
from gateway.tagging import set_to
from schemas.datasets import Dataset, DatasetChange, Tag, TagChange, tag_id
from schemas.errors import Fault, Invalid
from schemas.pages import Page
from schemas.parameters import TagName
from storage.ports import Query

routes: Final = Routes("datasets")

TAG_NAME: Final[TypeAdapter[str]] = TypeAdapter(TagName)


class DatasetQuery(SearchQuery):
    """Which datasets are listed: those with a version that meets every condition, if there are any."""

    removed: bool = False
    """Those that were removed, instead of those that are there."""


@routes.get("/v1/projects/{project}/datasets", query=DatasetQuery, answer=Page[Dataset])
async def list_datasets(request: web.Request) -> web.Response:
    """List datasets by name: all, or those with a version of a keyword, tag or class."""
    query = read_query(request, DatasetQuery)
    project = await project_of(request)
    of_name = {"name": query.name} if query.name else {}
    wanted = Query(equal={"project": project.id, "removed_at": None}, prefix=of_name)
    if query.removed:
        wanted = Query(equal={"project": project.id}, at_least={"removed_at": ""}, prefix=of_name)
    if query.is_of_versions:
        search = Search(query, project, request.app[SERVICES])
        await search.begin()
        return reply(await search.datasets(wanted, limit=page_size(request, query)))
    documents = request.app[SERVICES].database.documents(Dataset)
    return reply(await documents.list(wanted, order="name", limit=page_size(request, query), cursor=query.cursor))


@routes.get("/v1/projects/{project}/datasets/{name}", answer=Dataset)
async def show_dataset(request: web.Request) -> web.Response:
    """Show a dataset."""
    return reply(await dataset_of(request))


@routes.patch(
    "/v1/projects/{project}/datasets/{name}",
    body=DatasetChange,
    answer=Dataset,
)
async def change_dataset(request: web.Request) -> web.Response:
    """Describe a dataset, hide it, or show it again."""
    return reply(await _changed(request, await read(request, DatasetChange)))


@routes.delete("/v1/projects/{project}/datasets/{name}")
async def hide_dataset(request: web.Request) -> web.Response:
    """Hide a dataset."""
    await _changed(request, DatasetChange(removed=True))
    return nothing()


async def _changed(request: web.Request, change: DatasetChange) -> Dataset:
    services = request.app[SERVICES]
    now = services.clock()

    def apply(dataset: Dataset) -> Dataset:
        return changed_fields(dataset, change, "description", at=now)

    documents = services.database.documents(Dataset)
    return await changed(request, documents, lambda: dataset_of(request, hidden=True), apply)


@routes.get("/v1/projects/{project}/datasets/{name}/tags", query=PageQuery, answer=Page[Tag])
async def list_tags(request: web.Request) -> web.Response:
    """List tags by name."""
    query = read_query(request, PageQuery)
    dataset = await dataset_of(request)
    documents = request.app[SERVICES].database.documents(Tag)
    wanted = Query(equal={"dataset": dataset.id})
    return reply(await documents.list(wanted, order="name", limit=page_size(request, query), cursor=query.cursor))


@routes.put("/v1/projects/{project}/datasets/{name}/tags/{tag}", body=TagChange, answer=Tag)
async def set_tag(request: web.Request) -> web.Response:
    """Set a tag."""
    change = await read(request, TagChange)
    name = _tag_name(request)
    dataset = await dataset_of(request)
    version = await numbered_version(request, dataset, change.version)
    if version.removed_at is not None:
        fault = Fault(f"The version {change.version} is hidden: show it again first, or name another.", "/version")
        raise Invalid("A tag names a version that is there.", step="Correct what is named.", faults=[fault])
    tag = Tag(id=tag_id(dataset.id, name), project=dataset.project, dataset=dataset.id, name=name, version=version.id)
    return reply(await set_to(tag, request))


@routes.delete("/v1/projects/{project}/datasets/{name}/tags/{tag}")
async def remove_tag(request: web.Request) -> web.Response:
    """Remove a tag; its version stays."""
    dataset = await dataset_of(request)
    documents = request.app[SERVICES].database.documents(Tag)
    tag = await documents.get(tag_id(dataset.id, request.match_info["tag"]))
    await documents.remove(tag.id)
    return nothing()


def _tag_name(request: web.Request) -> str:
    try:
        return TAG_NAME.validate_python(request.match_info["tag"])
    except ValidationError as error:
        faults = [Fault(message_of(fault), "tag") for fault in error.errors()]
    step = "Choose a name of letters, digits, '.', '_' and '-' that is no number."
    raise Invalid("This cannot be a tag.", step=step, faults=faults)
