"""Uploads: files sent ahead of the task that uses them."""

import asyncio
import hashlib
import mimetypes
import tempfile
from http import HTTPStatus
from pathlib import Path
from typing import IO, Final

from aiohttp import web

from gateway.operations import BINARY, Routes
from gateway.partial_uploads import PARTIAL
from gateway.problems import Refused
from gateway.replies import reply
from gateway.services import CALLER, SERVICES
from schemas.blobs import BlobRef
from schemas.errors import Fault, Invalid, Unavailable
from schemas.schema import derived_id
from schemas.uploads import NAME_LETTERS, Upload
from storage.contested import added

routes: Final = Routes("uploads")

PIECE_BYTES: Final = 2**20


@routes.put("/v1/uploads/{name}", consumes=BINARY, answer=Upload, status=201, created=True)
async def send_upload(request: web.Request) -> web.Response:
    """Send a file; name its id in the source of an import. The same file under the same name is the same upload."""
    name = checked_name(request.match_info["name"])
    settings = request.app[SERVICES].settings
    if (request.content_length or 0) > settings.upload_limit_bytes:
        raise too_large(settings.upload_limit_bytes)
    await asyncio.to_thread(settings.spool.mkdir, parents=True, exist_ok=True)
    # What is spooled goes when this ends, however it ends: an upload is complete or not there.
    with tempfile.TemporaryDirectory(prefix="ymir-upload-", dir=settings.spool) as folder:
        path = Path(folder) / "upload"
        digest = await _spool(request, path, settings.upload_limit_bytes)
        media_type = mimetypes.guess_type(name)[0] or BINARY
        blob = await request.app[SERVICES].blobs.put_file(path, media_type=media_type, digest=digest)
    upload = await _keep(request, name, blob)
    return reply(upload, status=201, headers={"Location": f"/v1/uploads/{upload.id}"})


@routes.get("/v1/uploads/{name}", answer=Upload)
async def show_upload(request: web.Request) -> web.Response:
    """Show a whole upload by its id."""
    return reply(await request.app[PARTIAL].whole(request.match_info["name"]))


async def _spool(request: web.Request, path: Path, limit: int) -> str:
    digest = hashlib.sha256()
    size = 0
    try:
        with await asyncio.to_thread(path.open, "wb") as file:
            async for piece in request.content.iter_chunked(PIECE_BYTES):
                size += len(piece)
                if size > limit:
                    raise too_large(limit)
                await asyncio.to_thread(_write, file, digest, piece)
    except OSError as error:
        if isinstance(error, ConnectionError):
            raise
        raise Unavailable(f"The upload could not be kept: {error.strerror}.", step="Free disk space.") from error
    if not size:
        raise Invalid("The upload is empty.", step="Send the bytes of the file as the body.")
    return f"sha256:{digest.hexdigest()}"


def _write(file: IO[bytes], digest: "hashlib._Hash", piece: bytes) -> None:
    file.write(piece)
    digest.update(piece)


async def _keep(request: web.Request, name: str, blob: BlobRef) -> Upload:
    services = request.app[SERVICES]
    caller = request[CALLER]
    uploads = services.database.documents(Upload)
    identity = derived_id("upload", caller.id, name, blob.digest)
    upload = Upload(id=identity, name=name, blob=blob, created_by=caller.name, created_at=services.clock())
    known = await added(upload, uploads)
    if known is upload:
        return upload
    renewed = known.successor(created_at=upload.created_at)
    await uploads.replace(renewed, was=known)
    return renewed


def checked_name(name: str) -> str:
    """Return the name of a file; raise Invalid if it cannot be one."""
    if len(name) > NAME_LETTERS or not name.isprintable() or "/" in name or "\\" in name or name in {".", ".."}:
        fault = Fault("A name has at most 255 visible characters and no slash.", "name")
        raise Invalid("The upload's name is not one of a file.", step="Choose another name.", faults=[fault])
    return name


def too_large(limit: int) -> Refused:
    """Return the refusal of a file that is larger than an upload may be."""
    detail = f"An upload has at most {limit} bytes."
    return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, step="Send less, or ask for a higher limit.")
