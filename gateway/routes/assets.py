"""Assets: the images of a version, with their annotations."""

import json
import re
from http import HTTPStatus
from typing import Annotated, Final, Self

from aiohttp import web
from pydantic import BeforeValidator, Field, JsonValue, model_validator

from gateway.drawing import MEDIA_TYPE
from gateway.files import IMMUTABLE, PLAIN, send_blob
from gateway.finding import version_of
from gateway.links import image_link, thumbnail_link
from gateway.marks import MARKS, Mark
from gateway.operations import Routes
from gateway.reading import PageQuery, page_size, read_query
from gateway.replies import reply
from gateway.routes.versions import VERSION
from gateway.services import SERVICES
from gateway.thumbnails import THUMBNAILS, Wanted
from gateway.views import AssetView
from schemas.annotations import ClassName, LayerName
from schemas.datasets import Version
from schemas.errors import Fault, Invalid, NotFound
from schemas.pages import Page
from schemas.schema import Id, Schema, digest_of
from schemas.splits import Split
from storage.datasets.listing import AssetQuery
from storage.datasets.rows import AnnotationRow, AssetRow, to_annotation

routes: Final = Routes("assets")

ASSET: Final = f"{VERSION}/assets/{{asset}}"
ASSET_ID: Final = re.compile(r"[0-9a-f]{64}")
# What a browser shows as a picture and never runs.
PICTURES: Final = frozenset({"image/jpeg", "image/png", "image/bmp", "image/webp", "image/gif", "image/tiff"})


def _separate(names: object) -> object:
    return [part for name in names for part in str(name).split(",")] if isinstance(names, list | tuple) else names


Layers = Annotated[tuple[LayerName, ...], BeforeValidator(_separate), Field(max_length=100)]
"""Repeated, or separated by commas: no layer's name has one."""


class AssetsQuery(PageQuery):
    """Which assets of a version are listed: those that meet every condition."""

    classes: Annotated[tuple[ClassName, ...], Field(alias="class", max_length=1_000)] = ()
    """Any of these classes is on the asset."""
    split: tuple[Split, ...] = ()
    layer: Layers = ()
    """The layers that are looked at and shown; all when not given."""
    attribute: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    """``name=value``: an annotation or the image has this attribute."""
    name: Annotated[str, Field(max_length=1_000)] = ""
    """How the file name begins."""
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


class ThumbnailQuery(Schema):
    """What a small picture shows."""

    size: Annotated[int, Field(ge=32, le=1024)] = 256
    """The pixels of its long side; a smaller image stays as it is."""
    layers: Layers = ()
    """The layers that are drawn; none when not given."""
    confidence: Annotated[float, Field(ge=0, le=1)] = 0.0
    """From which confidence on predictions are drawn."""
    expires: str = ""
    signature: str = ""


class SignedQuery(Schema):
    """The parts of a link that works without a key."""

    expires: str = ""
    signature: str = ""


@routes.get(f"{VERSION}/assets", query=AssetsQuery, answer=Page[AssetView])
async def list_assets(request: web.Request) -> web.Response:
    """List assets of a version with their annotations, in a fixed order."""
    query = read_query(request, AssetsQuery)
    version = await version_of(request)
    marked = None
    if query.evaluation is not None:
        marked = await request.app[MARKS].assets(query.evaluation, query.mark, project=version.project)
    wanted = AssetQuery(
        layers=query.layer,
        classes=query.classes,
        splits=query.split,
        name_prefix=query.name,
        attributes=dict(_attribute(text) for text in query.attribute),
        assets=marked,
    )
    library = request.app[SERVICES].library
    content = await library.content(version.digest)
    page = await library.page(content, query=wanted, limit=page_size(request, query), cursor=query.cursor)
    views = tuple(_view(request, version, row) for row in page.rows)
    return reply(Page[AssetView](items=views, next=page.next))


@routes.get(ASSET, query=LayerQuery, answer=AssetView)
async def show_asset(request: web.Request) -> web.Response:
    """Show one asset of a version with its annotations."""
    layers = read_query(request, LayerQuery).layer
    version = await version_of(request)
    return reply(_view(request, version, await _row(request, version, layers or None)))


@routes.get(f"{ASSET}/image", query=SignedQuery, media_type="image/*")
async def send_image(request: web.Request) -> web.StreamResponse:
    """Send an image as it was imported, whole or in part."""
    row = await _row(request, await version_of(request), ())
    media_type = row.image.media_type if row.image.media_type in PICTURES else "application/octet-stream"
    return await send_blob(request, f"sha256:{row.asset}", media_type=media_type)


@routes.get(f"{ASSET}/thumbnail", query=ThumbnailQuery, media_type=MEDIA_TYPE)
async def send_thumbnail(request: web.Request) -> web.StreamResponse:
    """Send a small picture of an image as displayed, with the annotations of some layers drawn."""
    query = read_query(request, ThumbnailQuery)
    version = await version_of(request)
    wanted = Wanted(
        version.digest, _asset_id(request), query.size, tuple(dict.fromkeys(query.layers)), query.confidence
    )
    headers = {**PLAIN, "Cache-Control": IMMUTABLE, "ETag": f'"{digest_of(repr(wanted).encode())[7:]}"'}
    if request.if_none_match and any(f'"{tag.value}"' == headers["ETag"] for tag in request.if_none_match):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)

    async def annotations() -> list[AnnotationRow]:
        row = await _row(request, version, wanted.layers)
        drawn = [annotation for layer in wanted.layers for annotation in row.layers.get(layer, ())]
        return [one for one in drawn if one.confidence is None or one.confidence >= wanted.confidence]

    drawn = await request.app[THUMBNAILS].draw(wanted, annotations)
    return web.Response(body=drawn, content_type=MEDIA_TYPE, headers=headers)


async def _row(request: web.Request, version: Version, layers: tuple[str, ...] | None) -> AssetRow:
    library = request.app[SERVICES].library
    return await library.find(await library.content(version.digest), _asset_id(request), layers=layers)


def _asset_id(request: web.Request) -> str:
    asset = request.match_info["asset"]
    if not ASSET_ID.fullmatch(asset):
        raise NotFound("asset", asset, step="An asset is named by 64 hex digits: the SHA-256 of its bytes.")
    return asset


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


def _attribute(text: str) -> tuple[str, JsonValue]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        fault = Fault(f"{text[:100]!r} is not name=value.", "?attribute")
        raise Invalid("The attribute cannot be read.", step="Write attribute=name=value.", faults=[fault])
    try:
        given: JsonValue = json.loads(value)
    except (ValueError, RecursionError):
        return name, value
    return name, given
