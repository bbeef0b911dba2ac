"""Calls over HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from io import BytesIO
from typing import Any, Final

from aiohttp import ClientConnectionError, ClientError, ClientResponse, ClientSession, ClientTimeout, InvalidURL
from pydantic import ValidationError
from yarl import URL

from client.calls import Pieces, Query, Refused, Stream
from schemas.errors import Invalid, Unavailable
from schemas.problems import Problem

AGAIN_SECONDS: Final = 0.1
PIECE_BYTES: Final = 2**20
ERROR_STATUS: Final = 400


class HttpCalls:
    """Calls one service with one key; ``open_calls`` makes one."""

    def __init__(self, session: ClientSession, *, url: str, patience_seconds: float) -> None:
        self._session = session
        self.url = url
        self._patience_seconds = patience_seconds

    async def answer(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json: object = None,
        pieces: Pieces | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Return the whole answer to a call; it is tried again while nobody answers, until patience ends."""

        def body() -> dict[str, Any]:
            return {"json": json} if pieces is None else {"data": pieces()}

        return (await self._tried(method, path, body, params=query, headers=headers))[1]

    async def told(self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b"") -> Mapping[str, str]:
        """Return the headers of the answer to a call, which is tried as the others are."""
        return (await self._tried(method, path, lambda: {"data": BytesIO(body)}, headers=headers))[0]

    async def _tried(
        self,
        method: str,
        path: str,
        body: Callable[[], dict[str, Any]],
        **arguments: Any,  # noqa: ANN401 - aiohttp's
    ) -> tuple[Mapping[str, str], bytes]:
        deadline = time.monotonic() + self._patience_seconds
        while True:
            try:
                async with self._session.request(method, path, **arguments, **body()) as response:
                    await _check(response)
                    return response.headers, await response.read()
            except (ClientConnectionError, ClientError) as error:
                if time.monotonic() >= deadline or isinstance(error, InvalidURL):
                    raise _unanswered(self.url, error) from error
            await asyncio.sleep(AGAIN_SECONDS)

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[Stream]:
        """Open the answer at a path, piece by piece."""
        with _driver_errors(self.url):
            async with self._session.get(path) as response:
                await _check(response)
                yield Stream(response.content_length, response.content.iter_chunked(PIECE_BYTES))


@asynccontextmanager
async def open_calls(url: str, key: str, *, patience_seconds: float) -> AsyncIterator[HttpCalls]:
    """Open connections to the service at ``url``; for ``patience_seconds`` a call is tried again while nobody answers.

    Raise Invalid if that is no address, or no key.
    """
    if not key.isascii() or not key.isprintable():
        raise Invalid("The key has characters that no key has.", step="Look at where it comes from.")
    headers = {"Authorization": f"Bearer {key}"}
    timeout = ClientTimeout(total=None, sock_connect=10, sock_read=300)
    try:
        session = ClientSession(URL(url), headers=headers, timeout=timeout)
    except (ValueError, TypeError) as error:
        raise Invalid(f"{url!r} is no address: {error}.", step="It is something like http://host:8080.") from error
    async with session:
        yield HttpCalls(session, url=url, patience_seconds=patience_seconds)


@contextmanager
def _driver_errors(url: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise _unanswered(url, error) from error


def _unanswered(url: str, error: Exception) -> Unavailable:
    reason = str(error) or type(error).__name__
    return Unavailable(f"The service at {url} does not answer: {reason}.", step="Look whether it runs, and where.")


async def _check(response: ClientResponse) -> None:
    if response.status < ERROR_STATUS:
        return
    body = await response.read()
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        text = body[:500].decode(errors="replace")
        problem = Problem(type="about:blank", title=response.reason or "Error", status=response.status, detail=text)
    raise Refused(problem)
