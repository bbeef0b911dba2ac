"""Events: what happened, in the order of the log."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from gateway.auth import KEYS, bearer_of
from gateway.finding import readable_project
from gateway.operations import Header, Routes
from gateway.problems import Refused
from gateway.reading import PageQuery, page_size, read_query
from gateway.replies import reply
from gateway.services import CALLER, SERVICES
from gateway.streaming import TOGETHER, last_event_id, stream, wants_stream
from schemas.events import EventType, LoggedEvent
from schemas.pages import Page
from schemas.schema import Id

routes: Final = Routes("events")

ACCEPT: Final = Header("Accept", "`text/event-stream`: the events as Server-Sent Events, as they come.")
LAST_EVENT_ID: Final = Header("Last-Event-ID", "The id of the last event that a stream brought: it goes on after that.")


class EventQuery(PageQuery):
    """Which events are listed."""

    after: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    """The position after which the list begins; ``cursor`` is another word for it."""
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,15}$")] | None = None
    last: bool = False
    """Only the last event, whatever it is: its position is where to go on with what happens from now on."""
    type: tuple[EventType, ...] = ()
    project: tuple[str, ...] = ()


@routes.get("/v1/events", query=EventQuery, answer=Page[LoggedEvent], headers=(ACCEPT, LAST_EVENT_ID))
async def list_events(request: web.Request) -> web.StreamResponse:
    """List events after a position; or stream them, with Accept: text/event-stream, from there or from now on."""
    query = read_query(request, EventQuery)
    services = request.app[SERVICES]
    is_stream = wants_stream(request)
    after = query.after if query.cursor is None else int(query.cursor)
    if is_stream and (last := last_event_id(request)) is not None:
        after = last
    projects = await _projects(request, query)
    if query.last:
        return reply(await services.event_log.newest(projects=projects))
    oldest = await services.event_log.oldest()
    # Everything up to the position before the oldest was read by whoever asks for what comes after it.
    if after is not None and oldest is not None and after + 1 < oldest:
        detail = f"Events after {after} are no longer kept; the oldest is at position {oldest}."
        step = f"Go on with after={oldest - 1}, and read again what you may have missed."
        raise Refused(HTTPStatus.GONE, detail, step=step, pointer="?after")
    if is_stream:
        return await _stream(request, query, after, projects=projects)
    limit = page_size(request, query)
    return reply(await services.event_log.after(after or 0, types=query.type, projects=projects, limit=limit))


async def _stream(
    request: web.Request, query: EventQuery, after: int | None, *, projects: list[Id] | None
) -> web.StreamResponse:
    log = request.app[SERVICES].event_log
    is_narrow = bool(query.type) or projects is not None

    async def read(position: int) -> tuple[Sequence[LoggedEvent], int]:
        # The end first: up to there nothing is overlooked, and what was looked through is not looked through again.
        last = await log.last() if is_narrow else position
        items = (await log.after(position, types=query.type, projects=projects, limit=TOGETHER)).items
        return items, items[-1].position if items else max(position, last)

    async def is_allowed() -> bool:
        known = await request.app[KEYS].of(bearer_of(request) or "")
        return known is not None and known.id == request[CALLER].id

    return await stream(request, await log.last() if after is None else after, read=read, is_allowed=is_allowed)


async def _projects(request: web.Request, query: EventQuery) -> list[Id] | None:
    """Return the projects whose events are shown: those that are named, else all that the caller may read."""
    if query.project:
        return [(await readable_project(request, name, hidden=True)).id for name in query.project]
    readable = request[CALLER].readable()
    return None if readable is None else sorted(readable)
