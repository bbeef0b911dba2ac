"""The words of resumable uploads, tus 1.0.0: what its headers say, and what every answer tells."""

import base64
import binascii
import hashlib
import re
from email.utils import format_datetime
from http import HTTPStatus
from typing import Final, NamedTuple

from aiohttp import web

from gateway.operations import Header
from gateway.problems import Refused
from schemas.uploads import PartialUpload

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination"
ALGORITHMS: Final = ("sha1", "sha256")
CHUNK: Final = "application/offset+octet-stream"
PATH: Final = "/v1/uploads"
MISMATCH: Final = 460

RESUMABLE: Final = Header("Tus-Resumable", "1.0.0, the version of tus that is spoken.", required=True)
LENGTH: Final = Header("Upload-Length", "How many bytes the file has.")
DEFER: Final = Header("Upload-Defer-Length", "1 where that is not known yet.")
METADATA: Final = Header(
    "Upload-Metadata", "Pairs of a key and base64, separated by commas; `filename` names the file."
)
OFFSET: Final = Header("Upload-Offset", "How many bytes of the file are there.")
CHECKSUM: Final = Header("Upload-Checksum", "sha1 or sha256, a space, and the base64 of the digest of the body.")
EXPIRES: Final = Header("Upload-Expires", "Until when it can be gone on with.")

_NUMBER: Final = re.compile(r"[0-9]{1,18}")


class Checksum(NamedTuple):
    """What the body of a request has to come to."""

    algorithm: str
    digest: bytes


async def tell_tus(request: web.Request, response: web.StreamResponse) -> None:
    """Give every answer about uploads the version that is spoken."""
    if request.path == PATH or request.path.startswith(f"{PATH}/"):
        response.headers["Tus-Resumable"] = VERSION


def check_version(request: web.Request) -> None:
    """Raise Refused (412) unless a request speaks our version of tus."""
    if request.headers.get("Tus-Resumable") != VERSION:
        detail = f"A resumable upload speaks tus {VERSION}, and says so in Tus-Resumable."
        step = f"Send Tus-Resumable: {VERSION}; or the whole file by PUT {PATH}/{{name}}."
        raise Refused(HTTPStatus.PRECONDITION_FAILED, detail, step=step, headers={"Tus-Version": VERSION})


def length_of(request: web.Request) -> int | None:
    """Return how many bytes a new upload will have; None if that is deferred. Raises Refused (400)."""
    length = number(request, "Upload-Length")
    deferred = request.headers.get("Upload-Defer-Length")
    if (length is None) != (deferred == "1") or deferred not in {None, "1"}:
        raise bad("Give Upload-Length, or Upload-Defer-Length: 1 while it is not known.")
    return length


def number(request: web.Request, header: str) -> int | None:
    """Return the number in a header, None where it is not given; raise Refused (400)."""
    given = request.headers.get(header)
    if given is None:
        return None
    if not _NUMBER.fullmatch(given):
        raise bad(f"{header} is a number of bytes.")
    return int(given)


def metadata_of(request: web.Request) -> dict[str, str]:
    """Return what a sender says of its upload; raise Refused (400)."""
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in request.headers.get("Upload-Metadata", "").split(","))):
        key, _, value = pair.partition(" ")
        if key in found:
            raise bad(f"Upload-Metadata has the key {key!r} twice.")
        try:
            found[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise bad(f"The value of {key!r} in Upload-Metadata is no base64 of UTF-8.") from error
    return found


def checksum_of(request: web.Request) -> Checksum | None:
    """Return what the body has to come to, if the request says; raise Refused (400)."""
    given = request.headers.get("Upload-Checksum")
    if given is None:
        return None
    algorithm, _, value = given.partition(" ")
    if algorithm not in ALGORITHMS:
        raise bad(f"Upload-Checksum is of {' or '.join(ALGORITHMS)}.")
    try:
        digest = base64.b64decode(value, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != hashlib.new(algorithm).digest_size:
        raise bad(f"The value of Upload-Checksum is no base64 of a {algorithm} digest.")
    return Checksum(algorithm, digest)


def told(upload: PartialUpload, offset: int) -> dict[str, str]:
    """Return the headers that tell of an upload and how much of it is there."""
    headers = {"Upload-Offset": str(offset), "Upload-Expires": format_datetime(upload.expires_at, usegmt=True)}
    headers |= {"Upload-Defer-Length": "1"} if upload.length is None else {"Upload-Length": str(upload.length)}
    return headers | ({"Upload-Metadata": upload.metadata} if upload.metadata else {})


def bad(detail: str) -> Refused:
    """Return the refusal of a request that is none of tus."""
    step = "See https://tus.io/protocols/resumable-upload for what each request has to say."
    return Refused(HTTPStatus.BAD_REQUEST, detail, step=step)
