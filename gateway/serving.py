"""Serving: the application on a socket, for as long as it is asked for."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

ANSWER_SECONDS: Final = 3.0
"""How long requests that are under way may take when the application is to end."""


@asynccontextmanager
async def answering(app: web.Application, bound: socket.socket) -> AsyncIterator[None]:
    """Answer requests that come to a socket; at the end no more are taken, and those under way are finished."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=ANSWER_SECONDS)
    await runner.setup()
    try:
        await web.SockSite(runner, bound).start()
        yield
    finally:
        await runner.cleanup()
