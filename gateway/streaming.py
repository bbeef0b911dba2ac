"""Server-Sent Events: the log as a stream that goes on where it broke, by the HTML standard (section 9.2)."""

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from aiohttp import web

from gateway.problems import Refused
from gateway.services import SERVICES
from gateway.signs import SIGNS
from schemas.events import LoggedEvent
from storage.signs import comes

MEDIA_TYPE: Final = "text/event-stream"
STREAMS: Final = web.AppKey("streams", set[int])
TOGETHER: Final = 200
RETRY_MILLISECONDS: Final = 2_000
# What the bus loses is found by looking after so long.
LOOK_SECONDS: Final = 2.0

Read = Callable[[int], Awaitable[tuple[Sequence[LoggedEvent], int]]]
"""Returns the next events after a position, and the position up to which there are no others."""
IsAllowed = Callable[[], Awaitable[bool]]


def wants_stream(request: web.Request) -> bool:
    """Return whether a request asks for a stream rather than for a page."""
    accepted = (part.partition(";")[0].strip().lower() for part in request.headers.get("Accept", "").split(","))
    return MEDIA_TYPE in accepted


def last_event_id(request: web.Request) -> int | None:
    """Return the position after which a stream goes on; None if it begins; raise Refused if it is none of ours."""
    given = request.headers.get("Last-Event-ID", "").strip()
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= len("1" * 15)):
        detail = "Last-Event-ID is not an id of this stream: those are positions of the log."
        raise Refused(HTTPStatus.BAD_REQUEST, detail, step="Leave it out, or send the id of the last event that came.")
    return int(given)


async def stream(request: web.Request, position: int, *, read: Read, is_allowed: IsAllowed) -> web.StreamResponse:
    """Send events after a position as they come, and a comment where none does for a while, until somebody ends it."""
    settings = request.app[SERVICES].settings
    streams = request.app[STREAMS]
    if len(streams) >= settings.streams_at_most:
        detail = f"There are {settings.streams_at_most} streams of events open already."
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, detail, step="Try again later.", headers={"Retry-After": "10"})
    streams.add(id(request))
    try:
        return await _streamed(request, position, read=read, is_allowed=is_allowed)
    finally:
        streams.discard(id(request))


async def _streamed(request: web.Request, position: int, *, read: Read, is_allowed: IsAllowed) -> web.StreamResponse:
    headers = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    signs, beat = request.app[SIGNS], request.app[SERVICES].settings.heartbeat_seconds
    with suppress(ConnectionError):
        await response.write(f"retry: {RETRY_MILLISECONDS}\n\n".encode())
        sent_at = time.monotonic()
        while not signs.is_closed:
            sign = signs.sign()
            events, position = await read(position)
            if events:
                await response.write(_written(events))
                sent_at = time.monotonic()
            if len(events) == TOGETHER:
                continue
            if time.monotonic() - sent_at >= beat:
                if not await is_allowed():
                    break
                await response.write(b": still here\n\n")
                sent_at = time.monotonic()
            await comes(sign, within=min(LOOK_SECONDS, beat))
        await response.write_eof()
    return response


def _written(events: Sequence[LoggedEvent]) -> bytes:
    return b"".join(
        f"id: {logged.position}\nevent: {logged.event.type}\ndata: {logged.event.model_dump_json()}\n\n".encode()
        for logged in events
    )
