"""Files: blobs as answers, whole or in part."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from aiohttp import web

from gateway.problems import Refused
from gateway.services import SERVICES
from schemas.errors import NotFound
from schemas.schema import Digest

# A blob up to this size is compared with its name before a byte of it is sent.
WHOLE_BYTES: Final = 8 * 2**20
PIECE_BYTES: Final = 2**20
IMMUTABLE: Final = "private, max-age=31536000, immutable"
PLAIN: Final = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}

NONE: Final[Mapping[str, str]] = MappingProxyType({})


async def send_blob(
    request: web.Request,
    digest: Digest,
    *,
    media_type: str,
    file_name: str = "",
    immutable: bool = True,
    more_headers: Mapping[str, str] = NONE,
) -> web.StreamResponse:
    """Answer with a blob, or with the range of it that the request names.

    ``file_name`` makes it a download. Raises what the store of blobs does, and Refused (416) for an impossible range.
    """
    blobs = request.app[SERVICES].blobs
    etag = digest.removeprefix("sha256:")
    headers = {**file_headers(etag, media_type=media_type, file_name=file_name, immutable=immutable), **more_headers}
    if is_known(request, etag):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    size = await blobs.size(digest)
    start, length = range_of(request, size, etag)
    status = _status(headers, start, length, size)
    if size <= WHOLE_BYTES:
        data = await blobs.get(digest)
        return web.Response(body=data[start : start + length], status=status, headers=headers)
    return await _stream(request, digest, start, length, status=status, headers=headers)


async def send_file(request: web.Request, path: Path, *, etag: str, headers: Mapping[str, str]) -> web.StreamResponse:
    """Answer with a file of this machine, or with the range of it that the request names; it may go afterwards."""
    size = (await asyncio.to_thread(path.stat)).st_size
    start, length = range_of(request, size, etag)
    told = dict(headers)
    response = web.StreamResponse(status=_status(told, start, length, size), headers=told)
    response.content_length = length
    await response.prepare(request)
    with await asyncio.to_thread(path.open, "rb") as file:
        file.seek(start)
        while length and (piece := await asyncio.to_thread(file.read, min(length, PIECE_BYTES))):
            length -= len(piece)
            await response.write(piece)
    await response.write_eof()
    return response


def file_headers(etag: str, *, media_type: str, file_name: str = "", immutable: bool = True) -> dict[str, str]:
    """Return the headers of an answer that is a file; with a ``file_name`` it is a download."""
    headers = {**PLAIN, "ETag": f'"{etag}"', "Accept-Ranges": "bytes", "Content-Type": media_type}
    headers["Cache-Control"] = IMMUTABLE if immutable else "no-cache"
    if file_name:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(file_name, safe='')}"
    return headers


def is_known(request: web.Request, etag: str) -> bool:
    """Return whether the client has what an ETag names."""
    return any(tag.value in {etag, "*"} for tag in request.if_none_match or ())


def missing(kind: str, identity: object, step: str) -> NotFound:
    """Return the error of a file that does not exist (yet)."""
    return NotFound(kind, identity, step=step)


async def _stream(
    request: web.Request, digest: Digest, start: int, length: int, *, status: int, headers: Mapping[str, str]
) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = length
    pieces = request.app[SERVICES].blobs.stream(digest, start=start, length=length)
    # The first piece before the head: a store that does not answer is still a problem then.
    first = await anext(aiter(pieces), b"")
    await response.prepare(request)
    await response.write(first)
    async for piece in pieces:
        await response.write(piece)
    await response.write_eof()
    return response


def _status(headers: dict[str, str], start: int, length: int, size: int) -> HTTPStatus:
    """Return the status of a range, which the headers are told of unless it is the whole."""
    if (start, length) == (0, size):
        return HTTPStatus.OK
    headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
    return HTTPStatus.PARTIAL_CONTENT


def range_of(request: web.Request, size: int, etag: str) -> tuple[int, int]:
    """Return the first byte and the length that are asked for."""
    unless = request.headers.get("If-Range")
    if "Range" not in request.headers or (unless is not None and unless.strip('"') != etag):
        return 0, size
    try:
        start, stop, _ = request.http_range.indices(size)
    except ValueError:
        return 0, size  # RFC 9110, section 14.2: a range that cannot be parsed is ignored
    if start >= stop:
        headers = {"Content-Range": f"bytes */{size}"}
        detail = f"The file has {size} bytes; the range asked for has none of them."
        raise Refused(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, detail, headers=headers)
    return start, stop - start
