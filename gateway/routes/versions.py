"""Versions: the immutable states of a dataset."""

from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from gateway.ancestry import ancestors_of
from gateway.asset_rows import Layers
from gateway.class_names import main_names_of
from gateway.finding import dataset_of, numbered_version, project_of, version_of
from gateway.operations import Routes
from gateway.reading import PageQuery, offset_of, page_size, read, read_query
from gateway.replies import changed, changed_fields, nothing, reply
from gateway.searching import Search, SearchQuery
from gateway.services import SERVICES, Services
from gateway.views import History
from schemas.annotations import GROUND_TRUTH, ClassName, LayerName
from schemas.datasets import Version, VersionChange
from schemas.diffs import AssetDiff, ChangeKind, VersionDiff
from schemas.errors import Fault, Invalid, NotFound
from schemas.overlaps import VersionOverlap
from schemas.pages import Page
from schemas.refs import Ref
from schemas.schema import Schema
from schemas.statistics import VersionStatistics
from schemas.suggestions import Suggestions
from storage.class_names import names_in
from storage.datasets.changes import ChangeQuery
from storage.datasets.refs import resolve
from storage.datasets.suggestions import suggestions_for
from storage.ports import Query

routes: Final = Routes("versions")

VERSIONS: Final = "/v1/projects/{project}/datasets/{name}/versions"
VERSION: Final = f"{VERSIONS}/{{ref}}"


class VersionQuery(PageQuery):
    """Which versions are listed."""

    removed: bool = False
    """Those that were removed, instead of those that are there."""


class DiffQuery(Schema):
    """With which version another is compared."""

    against: Ref
    """``dataset@tag`` or ``dataset@3``; a tag or number alone is one of the same dataset."""


class AssetDiffQuery(DiffQuery, PageQuery):
    """Which assets that differ are listed, in order of their ids; a page may be short and have a next one."""

    layer: Layers = ()
    """Changes of these layers; of all when not given."""
    change: Annotated[tuple[ChangeKind, ...], Field(max_length=6)] = ()
    """Changes of these kinds; all when not given, or those of annotations where layers are."""


class StatisticsQuery(Schema):
    """What statistics are asked for beside those that are always shown."""

    classes: Annotated[tuple[ClassName, ...], Field(alias="class", max_length=1_000)] = ()
    """Classes, or aliases of them: how many images have any of them is shown as ``chosen``."""


class SuggestionsQuery(Schema):
    """What suggestions are asked for."""

    layer: LayerName = GROUND_TRUTH


class OverlapQuery(Schema):
    """With which versions another is compared, taken together."""

    against: Annotated[tuple[Ref, ...], Field(min_length=1, max_length=100)]
    """``dataset@tag`` or ``dataset@3``; a tag or number alone is one of the same dataset."""


@routes.get("/v1/projects/{project}/versions", query=SearchQuery, answer=Page[Version])
async def search_versions(request: web.Request) -> web.Response:
    """Find versions of all datasets by keyword, tag and class, the newest first; a page may have fewer than asked."""
    query = read_query(request, SearchQuery)
    search = Search(query, await project_of(request), request.app[SERVICES])
    await search.begin()
    return reply(await search.versions(limit=page_size(request, query)))


@routes.get(VERSIONS, query=VersionQuery, answer=Page[Version])
async def list_versions(request: web.Request) -> web.Response:
    """List the versions of a dataset, the newest first."""
    query = read_query(request, VersionQuery)
    dataset = await dataset_of(request)
    wanted = Query(equal={"dataset": dataset.id, "removed_at": None})
    if query.removed:
        wanted = Query(equal={"dataset": dataset.id}, at_least={"removed_at": ""})
    versions = request.app[SERVICES].database.documents(Version)
    return reply(await versions.list(wanted, order="-number", limit=page_size(request, query), cursor=query.cursor))


@routes.get(VERSION, answer=Version)
async def show_version(request: web.Request) -> web.Response:
    """Show a version by its number or a tag."""
    return reply(await version_of(request))


@routes.patch(VERSION, body=VersionChange, answer=Version)
async def change_version(request: web.Request) -> web.Response:
    """Give a version another message or keywords, hide it, or (by its number) show it again."""
    return reply(await _changed(request, await read(request, VersionChange)))


@routes.delete(VERSION)
async def hide_version(request: web.Request) -> web.Response:
    """Hide a version."""
    await _changed(request, VersionChange(removed=True))
    return nothing()


@routes.get(f"{VERSION}/history", query=PageQuery, answer=History)
async def list_history(request: web.Request) -> web.Response:
    """List a version and all that it was made of, the newest first."""
    query = read_query(request, PageQuery)
    version = await version_of(request)
    versions = request.app[SERVICES].database.documents(Version)
    return reply(await ancestors_of(version, versions, start=offset_of(query), limit=page_size(request, query)))


@routes.get(f"{VERSION}/stats", query=StatisticsQuery, answer=VersionStatistics)
async def show_statistics(request: web.Request) -> web.Response:
    """Show counts by class and split, and histograms; computed at first use."""
    query = read_query(request, StatisticsQuery)
    version = await version_of(request)
    services = request.app[SERVICES]
    statistics = await services.library.statistics(version.digest)
    if query.classes:
        classes = main_names_of(query.classes, await names_in(version.project, services.database))
        chosen = await services.library.chosen_classes(version.digest, classes)
        statistics = statistics.model_copy(update={"chosen": chosen})
    return reply(statistics)


@routes.get(f"{VERSION}/suggestions", query=SuggestionsQuery, answer=Suggestions)
async def show_suggestions(request: web.Request) -> web.Response:
    """Show what a layer has too little of to train on: few objects, imbalance, few crowded or sparse images."""
    layer = read_query(request, SuggestionsQuery).layer
    version = await version_of(request)
    if layer not in version.counts.layers:
        fault = Fault(f"The version has no layer {layer!r}.", "?layer")
        raise Invalid("The layer does not exist.", step="Name one of the version's layers.", faults=[fault])
    statistics = await request.app[SERVICES].library.statistics(version.digest)
    return reply(suggestions_for(layer, statistics.layers[layer]))


@routes.get(f"{VERSION}/overlap", query=OverlapQuery, answer=VersionOverlap)
async def show_overlap(request: web.Request) -> web.Response:
    """Show how many images a version has in common with others, and how many they put to another split."""
    query = read_query(request, OverlapQuery)
    version = await version_of(request)
    services = request.app[SERVICES]
    others = [await _other(version, ref, services) for ref in query.against]
    return reply(await services.library.overlap(version.digest, [other.digest for other in others]))


@routes.get(f"{VERSION}/diff", query=DiffQuery, answer=VersionDiff)
async def show_diff(request: web.Request) -> web.Response:
    """Show what is to be done to another version to get this one."""
    query = read_query(request, DiffQuery)
    after = await version_of(request)
    services = request.app[SERVICES]
    before = await _other(after, query.against, services)
    return reply(await services.library.diff(before.digest, after.digest))


@routes.get(f"{VERSION}/diff/assets", query=AssetDiffQuery, answer=Page[AssetDiff])
async def list_asset_diffs(request: web.Request) -> web.Response:
    """List the assets that differ from another version, with every annotation that was added, removed or changed."""
    query = read_query(request, AssetDiffQuery)
    after = await version_of(request)
    services = request.app[SERVICES]
    before = await _other(after, query.against, services)
    page = await services.library.changes(
        before.digest,
        after.digest,
        query=ChangeQuery(query.layer, query.change),
        limit=page_size(request, query),
        cursor=query.cursor,
    )
    return reply(Page[AssetDiff](items=page.diffs, next=page.next))


async def _other(version: Version, against: Ref, services: Services) -> Version:
    """Return the version that another is compared with; raise Invalid if there is none."""
    ref = against if "@" in against else f"{version.dataset_name}@{against}"
    try:
        return await resolve(ref, version.project, services.database)
    except (NotFound, Invalid) as error:
        fault = Fault(f"{error.detail} {error.step}".strip(), "?against")
        raise Invalid("The other version does not exist.", step="Name another.", faults=[fault]) from error


async def _changed(request: web.Request, change: VersionChange) -> Version:
    services = request.app[SERVICES]
    now = services.clock()

    def apply(version: Version) -> Version:
        return changed_fields(version, change, "message", "keywords", at=now)

    versions = services.database.documents(Version)
    return await changed(request, versions, lambda: _even_hidden(request), apply)


async def _even_hidden(request: web.Request) -> Version:
    try:
        return await version_of(request)
    except NotFound:
        ref = request.match_info["ref"]
        if not (ref.isascii() and ref.isdigit() and len(ref) <= len("1" * 9)):
            raise
        return await numbered_version(request, await dataset_of(request), int(ref))
