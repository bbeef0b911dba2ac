"""Dead letters: messages that no worker could read, for administrators to look at and to send again."""

from http import HTTPStatus
from typing import Final

from aiohttp import web

from gateway.files import send_blob
from gateway.operations import Routes
from gateway.reading import PageQuery, page_size, read_query
from gateway.replies import changed, nothing, reply
from gateway.services import SERVICES
from schemas.errors import NotFound
from schemas.letters import DeadLetter
from schemas.pages import Page

routes: Final = Routes("dead letters")

LETTER: Final = "/v1/dead-letters/{id}"
BYTES: Final = "application/octet-stream"


@routes.get("/v1/dead-letters", query=PageQuery, answer=Page[DeadLetter])
async def list_letters(request: web.Request) -> web.Response:
    """List the dead letters, the last that came first."""
    query = read_query(request, PageQuery)
    letters = request.app[SERVICES].database.documents(DeadLetter)
    return reply(await letters.list(order="-came_at", limit=page_size(request, query), cursor=query.cursor))


@routes.get(LETTER, answer=DeadLetter)
async def show_letter(request: web.Request) -> web.Response:
    """Show a dead letter."""
    return reply(await _letter_of(request))


@routes.get(f"{LETTER}/body", media_type=BYTES)
async def send_letter_body(request: web.Request) -> web.StreamResponse:
    """Send the body of a dead letter, whatever it is, as a file."""
    letter = await _letter_of(request)
    return await send_blob(request, letter.body.digest, media_type=BYTES, file_name=f"{letter.id}.bin")


@routes.post(f"{LETTER}/replay", answer=DeadLetter, status=HTTPStatus.ACCEPTED)
async def replay_letter(request: web.Request) -> web.Response:
    """Send a dead letter to where it was sent first; one that still cannot be read comes again: see `times`."""
    services = request.app[SERVICES]
    letter = await _letter_of(request)
    await services.bus.send_again(letter.message(await services.blobs.get(letter.body.digest)))
    at = services.clock()
    letters = services.database.documents(DeadLetter)
    return reply(
        await changed(request, letters, lambda: _letter_of(request), lambda was: was.replayed(at=at)),
        status=HTTPStatus.ACCEPTED,
    )


@routes.delete(LETTER)
async def remove_letter(request: web.Request) -> web.Response:
    """Forget a dead letter; one that comes again afterwards is a new one."""
    letter = await _letter_of(request)
    await request.app[SERVICES].database.documents(DeadLetter).remove(letter.id)
    return nothing()


async def _letter_of(request: web.Request) -> DeadLetter:
    identity = request.match_info["id"]
    found = await request.app[SERVICES].database.documents(DeadLetter).get_many([identity])
    if not found:
        raise NotFound("dead letter", identity, step="GET /v1/dead-letters lists those there are.")
    return found[0]
