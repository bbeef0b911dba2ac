"""Idempotency keys: a repeated POST gets the answer of the first, and has no second effect."""

import re
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from aiohttp import web

from gateway.operations import operation_of
from gateway.problems import Handler, Refused
from gateway.services import CALLER, SERVICES, Services
from schemas.errors import Conflict, NotFound
from schemas.requests import RememberedRequest
from schemas.schema import Id, derived_id, digest_of, new_id

HEADER: Final = "Idempotency-Key"
# A structured field's string (RFC 8941), or the same characters bare, as older clients send them.
KEY: Final = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255})')
SECONDS_TO_WAIT: Final = "1"
UNDER_WAY: Final = web.AppKey("under_way", set[Id])
"""The requests with a key that this process answers just now."""


def key_of(request: web.Request) -> str | None:
    """Return the idempotency key of a request, if it has one; raise Refused if that is malformed."""
    given = request.headers.getall(HEADER, [])
    if not given:
        return None
    found = KEY.fullmatch(given[0].strip()) if len(given) == 1 else None
    if found is None:
        detail = f"{HEADER} is one string of 1 to 255 visible characters."
        raise Refused(HTTPStatus.BAD_REQUEST, detail, step="A random UUID is a good key.")
    return found[1] or found[2]


def identity_of(request: web.Request) -> Id:
    """Return the id of what a request makes: the same for the same caller, address and idempotency key."""
    key = key_of(request)
    return new_id() if key is None else derived_id("request", _caller(request), request.path, key)


async def fingerprint_of(request: web.Request) -> str:
    """Return the digest of a request's body if it has an idempotency key, else an empty text."""
    return "" if key_of(request) is None else digest_of(await request.read())


def other_body() -> Refused:
    """Return the refusal of a key that stands for another body."""
    detail = f"This {HEADER} was used for a request with another body."
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail, step="Use a new key for a new request.")


@web.middleware
async def idempotency(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Remember the answer to a POST under its key; what failed is forgotten and may be tried again."""
    operation = operation_of(request)
    if request.method != "POST" or operation is None or operation.accepts_key or key_of(request) is None:
        return await handler(request)
    services, under_way = request.app[SERVICES], request.app[UNDER_WAY]
    mine = RememberedRequest(
        id=identity_of(request), fingerprint=await fingerprint_of(request), created_at=services.clock()
    )
    if mine.id in under_way:
        raise _in_progress()
    under_way.add(mine.id)
    try:
        remembered = await _begin(services, mine)
        if remembered.status is not None:
            return _again(remembered)
        return await _answer(request, handler, remembered)
    finally:
        under_way.discard(mine.id)


async def _begin(services: Services, mine: RememberedRequest) -> RememberedRequest:
    """Return the request as it is remembered: begun just now by this call, or ended; raise Refused."""
    requests = services.database.documents(RememberedRequest)
    try:
        await requests.add(mine)
    except Conflict as conflict:
        try:
            known = await requests.get(mine.id)
        except NotFound:
            raise _in_progress() from conflict  # it failed just now and was forgotten
        if known.fingerprint != mine.fingerprint:
            raise other_body() from conflict
        if known.status is not None:
            return known
        if mine.created_at - known.created_at < timedelta(seconds=services.settings.request_takeover_seconds):
            raise _in_progress() from conflict
        mine = known.successor(created_at=mine.created_at)
        try:
            await requests.replace(mine, was=known)
        except Conflict as taken:
            raise _in_progress() from taken
    return mine


async def _answer(request: web.Request, handler: Handler, begun: RememberedRequest) -> web.StreamResponse:
    requests = request.app[SERVICES].database.documents(RememberedRequest)
    try:
        response = await handler(request)
    except BaseException:
        await requests.remove(begun.id)
        raise
    body = response.text if isinstance(response, web.Response) else None
    location = response.headers.get("Location")
    ended = begun.successor(status=response.status, body=body or "", location=location)
    try:
        await requests.replace(ended, was=begun)
    except Conflict as conflict:
        raise _in_progress() from conflict  # it took so long that another took over
    return response


def _again(remembered: RememberedRequest) -> web.Response:
    headers = {} if remembered.location is None else {"Location": remembered.location}
    return web.Response(
        body=remembered.body.encode(),
        status=remembered.status or HTTPStatus.OK,
        content_type="application/json",
        headers=headers,
    )


def _in_progress() -> Refused:
    detail = f"A request with this {HEADER} is in progress."
    headers = {"Retry-After": SECONDS_TO_WAIT}
    return Refused(HTTPStatus.CONFLICT, detail, step="Wait a second, then send it again.", headers=headers)


def _caller(request: web.Request) -> str:
    return request[CALLER].id if CALLER in request else ""
