"""Pictures: the images of a version as they are, and small ones with annotations drawn."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from gateway.asset_rows import Layers, asset_id_of, row_of
from gateway.drawing import PictureFormat
from gateway.files import IMMUTABLE, PLAIN, send_blob
from gateway.finding import version_of
from gateway.operations import Routes
from gateway.reading import read_query
from gateway.routes.assets import ASSET
from gateway.thumbnails import THUMBNAILS, Wanted
from schemas.schema import Schema, digest_of
from storage.datasets.rows import AnnotationRow

routes: Final = Routes("assets")

# What a browser shows as a picture and never runs.
PICTURES: Final = frozenset({"image/jpeg", "image/png", "image/bmp", "image/webp", "image/gif", "image/tiff"})


class SignedQuery(Schema):
    """The parts of a link that works without a key."""

    expires: str = ""
    signature: str = ""


class ThumbnailQuery(SignedQuery):
    """What a small picture shows."""

    size: Annotated[int, Field(ge=32, le=1024)] = 256
    """The pixels of its long side; a smaller image stays as it is."""
    layers: Layers = ()
    """The layers that are drawn; none when not given."""
    confidence: Annotated[float, Field(ge=0, le=1)] = 0.0
    """From which confidence on predictions are drawn."""


@routes.get(f"{ASSET}/image", query=SignedQuery, media_type="image/*")
async def send_image(request: web.Request) -> web.StreamResponse:
    """Send an image as it was imported, whole or in part."""
    row = await row_of(request, await version_of(request), ())
    media_type = row.image.media_type if row.image.media_type in PICTURES else "application/octet-stream"
    return await send_blob(request, f"sha256:{row.asset}", media_type=media_type)


@routes.get(f"{ASSET}/thumbnail", query=ThumbnailQuery, media_type=PictureFormat.JPEG.media_type)
async def send_thumbnail(request: web.Request) -> web.StreamResponse:
    """Send a small picture of an image as displayed, with the annotations of some layers drawn."""
    query = read_query(request, ThumbnailQuery)
    version = await version_of(request)
    wanted = Wanted(
        version.digest, asset_id_of(request), query.size, tuple(dict.fromkeys(query.layers)), query.confidence
    )

    async def annotations() -> list[AnnotationRow]:
        row = await row_of(request, version, wanted.layers)
        return [annotation for layer in wanted.layers for annotation in row.layers.get(layer, ())]

    # A tag may name another version tomorrow, with other annotations.
    lasting = IMMUTABLE if request.match_info["ref"] == str(version.number) else "no-cache"
    return await send_drawn(request, wanted, annotations, lasting=lasting)


async def send_drawn(
    request: web.Request, wanted: Wanted, annotations: Callable[[], Awaitable[list[AnnotationRow]]], *, lasting: str
) -> web.Response:
    """Send a picture with those annotations drawn that are sure enough; ``lasting`` says for how long it holds."""
    headers = {**PLAIN, "Cache-Control": lasting, "ETag": f'"{digest_of(repr(wanted).encode())[7:]}"'}
    if request.if_none_match and any(f'"{tag.value}"' == headers["ETag"] for tag in request.if_none_match):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)

    async def sure() -> list[AnnotationRow]:
        rows = await annotations()
        return [one for one in rows if one.confidence is None or one.confidence >= wanted.confidence]

    picture = await request.app[THUMBNAILS].draw(wanted, sure)
    return web.Response(body=picture, content_type=wanted.written_as.media_type, headers=headers)
