"""Assets: the images of a version, with their annotations."""

import json
import re
from typing import Annotated, Final, Self

from aiohttp import web
from pydantic import Field, JsonValue, model_validator

from gateway.asset_rows import Layers, row_of
from gateway.class_names import main_names_of
from gateway.finding import version_of
from gateway.links import image_link, thumbnail_link
from gateway.marks import MARKS, Mark
from gateway.operations import Routes
from gateway.reading import PageQuery, page_size, read_query
from gateway.replies import reply, reply_made
from gateway.routes.versions import VERSION
from gateway.services import SERVICES
from gateway.views import AssetView
from schemas.annotations import ClassName
from schemas.datasets import Version
from schemas.errors import Fault, Invalid
from schemas.pages import Page
from schemas.schema import Id, Schema
from schemas.splits import Split
from storage.class_names import names_in
from storage.datasets.listing import AssetQuery
from storage.datasets.matching import AnyValue, Attributes
from storage.datasets.rows import AssetRow, to_annotation

routes: Final = Routes("assets")

SEPARATOR: Final = re.compile("[:=]")
ASSET: Final = f"{VERSION}/assets/{{asset}}"


class AssetsQuery(PageQuery):
    """Which assets of a version are listed: those that meet every condition."""

    classes: Annotated[tuple[ClassName, ...], Field(alias="class", max_length=1_000)] = ()
    """Any of these classes, or of their aliases, is on the asset."""
    split: tuple[Split, ...] = ()
    layer: Layers = ()
    """The layers that are looked at and shown; all when not given."""
    attribute: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    """``name`` or ``name:value`` (or ``name=value``), any of them: an annotation, of one of the classes if some are
    named, or the image has this attribute."""
    name: Annotated[str, Field(max_length=1_000)] = ""
    """What the file name has in it, in whatever case."""
    evaluation: Id | None = None
    """An evaluation in which an annotation of the image has a mark."""
    mark: Annotated[tuple[Mark, ...], Field(max_length=4)] = ()
    """Which marks; any when not given. It needs ``evaluation``."""

    @model_validator(mode="after")
    def _marks_are_of_an_evaluation(self) -> Self:
        if self.mark and self.evaluation is None:
            message = "mark needs evaluation"
            raise ValueError(message)
        return self


class LayerQuery(Schema):
    """Which layers of an asset are shown."""

    layer: Layers = ()
    """All when not given."""


@routes.get(f"{VERSION}/assets", query=AssetsQuery, answer=Page[AssetView])
async def list_assets(request: web.Request) -> web.Response:
    """List assets of a version with their annotations, in a fixed order."""
    query = read_query(request, AssetsQuery)
    version = await version_of(request)
    marked = None
    if query.evaluation is not None:
        marked = await request.app[MARKS].assets(query.evaluation, query.mark, project=version.project)
    names = await names_in(version.project, request.app[SERVICES].database) if query.classes else {}
    wanted = AssetQuery(
        layers=query.layer,
        classes=main_names_of(query.classes, names),
        splits=query.split,
        name=query.name,
        attributes=tuple(alternative for text in query.attribute for alternative in _alternatives(text)),
        assets=marked,
    )
    library = request.app[SERVICES].library
    content = await library.content(version.digest)
    page = await library.page(content, query=wanted, limit=page_size(request, query), cursor=query.cursor)

    def made() -> Page[AssetView]:
        return Page(items=tuple(_view(request, version, row) for row in page.rows), next=page.next)

    return await reply_made(made)


@routes.get(ASSET, query=LayerQuery, answer=AssetView)
async def show_asset(request: web.Request) -> web.Response:
    """Show one asset of a version with its annotations."""
    layers = read_query(request, LayerQuery).layer
    version = await version_of(request)
    return reply(_view(request, version, await row_of(request, version, layers or None)))


def _view(request: web.Request, version: Version, row: AssetRow) -> AssetView:
    services = request.app[SERVICES]
    project = request.match_info["project"]
    return AssetView(
        asset=row.asset,
        file_name=row.image.file_name,
        width=row.image.width,
        height=row.image.height,
        size=row.image.size,
        media_type=row.image.media_type,
        split=row.split,
        layers={name: tuple(map(to_annotation, annotations)) for name, annotations in row.layers.items()},
        image=image_link(services, project, version, row.asset),
        thumbnail=thumbnail_link(services, project, version, row.asset),
    )


def _alternatives(text: str) -> Attributes:
    """Return what an attribute in an address can mean: a value of digits may be a number or a text."""
    found = SEPARATOR.search(text)
    name, value = (text, None) if found is None else (text[: found.start()], text[found.end() :])
    if not name:
        fault = Fault(f"{text[:100]!r} names no attribute.", "?attribute")
        raise Invalid(
            "The attribute cannot be read.", step="Write attribute=name or attribute=name:value.", faults=[fault]
        )
    if value is None:
        return ({name: AnyValue.ANY},)
    try:
        given: JsonValue = json.loads(value)
    except (ValueError, RecursionError):
        return ({name: value},)
    return ({name: given}, {name: value})
