"""The signs of an application that something happened, which its streams and its rules wait for."""

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from gateway.services import SERVICES
from storage.beside import beside
from storage.signs import Signs

SIGNS: Final = web.AppKey("signs", Signs)


async def signs(app: web.Application) -> AsyncIterator[None]:
    """Listen as long as an application runs."""
    app[SIGNS] = Signs(app[SERVICES].bus)
    async with beside(app[SIGNS].listen):
        yield


async def end_streams(app: web.Application) -> None:
    """End the streams of an application that shuts down: it would wait for them."""
    app[SIGNS].close()
