"""The body of a request that is kept as it comes: in parts, and what came before it broke off too."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.problems import Refused

STEP: Final = "Ask with HEAD how much is there, and go on from that."

# A sender that went away; a gateway that is to end.
_GONE: Final = (ConnectionError, asyncio.CancelledError)
_MALFORMED: Final = (HttpProcessingError, web.RequestPayloadError)


class Incoming:
    """The body of a request; raise Refused (413) if it has more bytes than there is room for."""

    def __init__(self, request: web.Request, *, room: int, stall_seconds: float) -> None:
        self._request = request
        self._room = room
        self._stall_seconds = stall_seconds
        self._error: BaseException | None = None
        if (request.content_length or 0) > room:
            raise _too_large()

    async def parts(self, size: int) -> AsyncIterator[bytes]:
        """Yield the body in parts of about a size, the last of them smaller; ``check_whole`` tells why it ended."""
        waiting = bytearray()
        while piece := await self._next():
            waiting += piece
            self._room -= len(piece)
            if self._room < 0:
                raise _too_large()
            if len(waiting) >= size:
                yield bytes(waiting)
                waiting.clear()
        if waiting:
            yield bytes(waiting)

    def check_whole(self) -> None:
        """Raise what the body broke off with, if it did."""
        if self._error is not None:
            raise self._error from None

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(self._stall_seconds):
                return await self._request.content.readany()
        except _GONE as error:
            self._error = error
        except _MALFORMED:
            self._error = Refused(HTTPStatus.BAD_REQUEST, "The body is malformed.", step=STEP)
        except TimeoutError:
            detail = f"Nothing came for {self._stall_seconds:g} s."
            self._error = Refused(HTTPStatus.REQUEST_TIMEOUT, detail, step=STEP)
        return b""


def _too_large() -> Refused:
    detail = "The body has more bytes than the upload can still take."
    return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, step="Send what is missing, and no more.")
