"""Events: what happened, in the order of the log."""

from http import HTTPStatus
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from gateway.finding import readable_project
from gateway.operations import Routes
from gateway.problems import Refused
from gateway.reading import PageQuery, page_size, read_query
from gateway.replies import reply
from gateway.services import CALLER, SERVICES
from schemas.events import EventType, LoggedEvent
from schemas.pages import Page
from schemas.schema import Id

routes: Final = Routes("events")


class EventQuery(PageQuery):
    """Which events are listed."""

    after: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    """The position after which the list begins; ``cursor`` is another word for it."""
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,15}$")] | None = None
    last: bool = False
    """Only the last event, whatever it is: its position is where to go on with what happens from now on."""
    type: tuple[EventType, ...] = ()
    project: tuple[str, ...] = ()


@routes.get("/v1/events", query=EventQuery, answer=Page[LoggedEvent])
async def list_events(request: web.Request) -> web.Response:
    """List events after a position; that of the last one is where to go on later."""
    query = read_query(request, EventQuery)
    services = request.app[SERVICES]
    after = query.after if query.cursor is None else int(query.cursor)
    projects = await _projects(request, query)
    if query.last:
        return reply(await services.event_log.newest(projects=projects))
    oldest = await services.event_log.oldest()
    # Everything up to the position before the oldest was read by whoever asks for what comes after it.
    if after is not None and oldest is not None and after + 1 < oldest:
        detail = f"Events after {after} are no longer kept; the oldest is at position {oldest}."
        step = f"Go on with after={oldest - 1}, and read again what you may have missed."
        raise Refused(HTTPStatus.GONE, detail, step=step, pointer="?after")
    limit = page_size(request, query)
    return reply(await services.event_log.after(after or 0, types=query.type, projects=projects, limit=limit))


async def _projects(request: web.Request, query: EventQuery) -> list[Id] | None:
    """Return the projects whose events are shown: those that are named, else all that the caller may read."""
    if query.project:
        return [(await readable_project(request, name, hidden=True)).id for name in query.project]
    readable = request[CALLER].readable()
    return None if readable is None else sorted(readable)
