"""Resumable uploads (tus 1.0.0): files sent in as many requests as it takes, ahead of the task that uses them."""

from datetime import timedelta
from http import HTTPStatus
from typing import Final

from aiohttp import web

from gateway.idempotency import identity_of, key_of, other_body
from gateway.operations import BINARY, Routes
from gateway.partial_uploads import PARTIAL
from gateway.problems import Refused
from gateway.replies import nothing
from gateway.routes.uploads import checked_name, too_large
from gateway.services import CALLER, SERVICES
from gateway.tus import (
    ALGORITHMS,
    CHECKSUM,
    CHUNK,
    DEFER,
    EXPIRES,
    EXTENSIONS,
    LENGTH,
    METADATA,
    OFFSET,
    PATH,
    RESUMABLE,
    VERSION,
    bad,
    check_version,
    checksum_of,
    length_of,
    metadata_of,
    number,
    told,
)
from schemas.errors import Denied, Invalid
from schemas.schema import digest_of
from schemas.uploads import PartialUpload, Upload

routes: Final = Routes("uploads")

ONE: Final = f"{PATH}/{{name}}"
OVERRIDE: Final = "X-HTTP-Method-Override"


@routes.options(PATH, public=True)
async def tell_what_uploads_can_do(request: web.Request) -> web.Response:
    """Tell which versions and extensions of tus are spoken, and how large an upload may be."""
    return _capabilities(request)


@routes.options(ONE, public=True)
async def tell_what_an_upload_can_do(request: web.Request) -> web.Response:
    """Tell the same of an upload that was begun."""
    return _capabilities(request)


@routes.post(
    PATH,
    consumes=CHUNK,
    headers=(RESUMABLE, LENGTH, DEFER, METADATA, CHECKSUM),
    tells=(OFFSET, EXPIRES),
    media_type=BINARY,
    status=201,
    created=True,
    accepts_key=True,
)
async def begin_upload(request: web.Request) -> web.Response:
    """Begin a resumable upload, with its first bytes if there is a body; its id can be named once it is whole."""
    check_version(request)
    asked, partial = _asked(request), request.app[PARTIAL]
    uploads = request.app[SERVICES].database.documents(Upload)
    if whole := await uploads.get_many([asked.id]):
        if (whole[0].name, whole[0].blob.size) != (asked.name, asked.length or whole[0].blob.size):
            raise other_body()
        return _begun(asked, whole[0].blob.size)
    upload = await partial.begin(asked)
    if upload.fingerprint != asked.fingerprint:
        raise other_body()
    offset = await partial.offset(upload)
    if request.body_exists and offset == 0:
        _check_type(request)
        offset = await partial.append(upload, request, at=0, checksum=checksum_of(request))
    if offset == upload.length:
        await partial.finished(upload)
    return _begun(upload, offset)


@routes.head(ONE, headers=(RESUMABLE,), tells=(OFFSET, LENGTH, DEFER, METADATA, EXPIRES))
async def tell_offset(request: web.Request) -> web.Response:
    """Tell how much of an upload is there."""
    check_version(request)
    fresh = {"Cache-Control": "no-store"}
    uploads = request.app[SERVICES].database.documents(Upload)
    if whole := await uploads.get_many([request.match_info["name"]]):
        size = str(whole[0].blob.size)
        return web.Response(headers={**fresh, "Upload-Offset": size, "Upload-Length": size})
    upload = await _own(request)
    offset = await request.app[PARTIAL].offset(upload)
    if offset == upload.length:
        # The process that took the last bytes ended before it put them together.
        await request.app[PARTIAL].finished(upload)
    return web.Response(headers={**fresh, **told(upload, offset)})


@routes.patch(ONE, consumes=CHUNK, headers=(RESUMABLE, OFFSET, LENGTH, CHECKSUM), tells=(OFFSET, EXPIRES), status=204)
async def continue_upload(request: web.Request) -> web.Response:
    """Send the next bytes of an upload; it is whole, and can be named by a task, once the last of them are there."""
    check_version(request)
    _check_type(request)
    at = number(request, "Upload-Offset")
    if at is None:
        raise bad("Upload-Offset says where the bytes belong.")
    partial = request.app[PARTIAL]
    upload = await _with_length(request, await _own(request), at=at)
    offset = await partial.append(upload, request, at=at, checksum=checksum_of(request))
    if offset == upload.length:
        await partial.finished(upload)
    return web.Response(status=HTTPStatus.NO_CONTENT, headers=told(upload, offset))


@routes.delete(ONE, headers=(RESUMABLE,))
async def give_up_upload(request: web.Request) -> web.Response:
    """Forget an upload, whole or not; a task that names it and has not begun will fail."""
    check_version(request)
    uploads = request.app[SERVICES].database.documents(Upload)
    if whole := await uploads.get_many([request.match_info["name"]]):
        if not request[CALLER].is_admin and request[CALLER].name != whole[0].created_by:
            raise _not_theirs()
        await uploads.remove(whole[0].id)
        return nothing()
    await request.app[PARTIAL].forget(await _own(request))
    return nothing()


@routes.post(ONE, consumes=CHUNK, headers=(RESUMABLE, OFFSET, LENGTH, CHECKSUM), status=204, accepts_key=True)
async def change_upload(request: web.Request) -> web.StreamResponse:
    """Continue or give up an upload where a client can send POST only, and says so in X-HTTP-Method-Override."""
    match request.headers.get(OVERRIDE, "").upper():
        case "PATCH":
            return await continue_upload(request)
        case "DELETE":
            return await give_up_upload(request)
    detail = f"POST is only possible here with {OVERRIDE}: PATCH or DELETE."
    raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, detail, headers={"Allow": "GET, HEAD, OPTIONS, PATCH, DELETE"})


def _asked(request: web.Request) -> PartialUpload:
    """Return the upload that a request begins; the same for the same idempotency key."""
    services, caller = request.app[SERVICES], request[CALLER]
    length, metadata = length_of(request), metadata_of(request)
    if length is not None:
        _check_length(length, services.settings.upload_limit_bytes)
    now, said = services.clock(), request.headers.get("Upload-Metadata", "")
    return PartialUpload(
        id=identity_of(request),
        name=checked_name(metadata.get("filename") or metadata.get("name") or "upload"),
        metadata=said,
        length=length,
        owner=caller.id,
        fingerprint="" if key_of(request) is None else digest_of(f"{length} {said}".encode()),
        created_by=caller.name,
        created_at=now,
        expires_at=now + timedelta(days=services.settings.upload_days),
    )


async def _with_length(request: web.Request, upload: PartialUpload, *, at: int) -> PartialUpload:
    """Return an upload with the length that a request tells; raise Refused if it was another, or cannot be."""
    length = number(request, "Upload-Length")
    if length in {None, upload.length} or length is None:
        return upload
    if upload.length is not None or length < at:
        raise bad("Upload-Length cannot be told anew, nor be less than what is there.")
    _check_length(length, request.app[SERVICES].settings.upload_limit_bytes)
    return await request.app[PARTIAL].with_length(upload, length)


async def _own(request: web.Request) -> PartialUpload:
    """Return the partial upload that an address names; raise NotFound, or Denied if it is somebody else's."""
    upload = await request.app[PARTIAL].find(request.match_info["name"])
    if not request[CALLER].is_admin and request[CALLER].id != upload.owner:
        raise _not_theirs()
    return upload


def _begun(upload: PartialUpload, offset: int) -> web.Response:
    headers = {**told(upload, offset), "Location": f"{PATH}/{upload.id}"}
    return web.Response(status=HTTPStatus.CREATED, headers=headers)


def _capabilities(request: web.Request) -> web.Response:
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(request.app[SERVICES].settings.upload_limit_bytes),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }
    return web.Response(status=HTTPStatus.NO_CONTENT, headers=headers)


def _check_type(request: web.Request) -> None:
    if request.content_type != CHUNK:
        detail = f"The bytes of an upload are sent as {CHUNK}."
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, step=f"Send Content-Type: {CHUNK}.")


def _check_length(length: int, limit: int) -> None:
    if length > limit:
        raise too_large(limit)
    if not length:
        raise Invalid("The upload is empty.", step="Send a file that has bytes.")


def _not_theirs() -> Denied:
    return Denied("The upload was begun with another key.", step="Use the key that began it.")
