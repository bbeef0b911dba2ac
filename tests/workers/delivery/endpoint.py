"""An endpoint of webhooks that keeps what comes, and answers as it is told."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiohttp import web
from aiohttp.test_utils import TestServer


class Came(NamedTuple):
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Endpoint:
    """Where events are sent in tests."""

    def __init__(self) -> None:
        self.came: list[Came] = []
        self.status = 204
        self.headers: dict[str, str] = {}
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.came.append(Came(request.path, dict(request.headers), await request.read()))
        return web.Response(status=self.status, headers=self.headers)


@asynccontextmanager
async def an_endpoint() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    app = web.Application()
    app.router.add_post("/{tail:.*}", endpoint.take)
    async with TestServer(app, host="127.0.0.1") as server:
        endpoint.url = str(server.make_url("/events"))
        yield endpoint
