"""The description of the service as it is sent: made when it is first asked for, since that takes a while."""

import asyncio
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import orjson
from aiohttp import web

from gateway.operations import Operation


class Description:
    """The OpenAPI document of some operations."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._operations = operations
        self._lock = asyncio.Lock()
        self._text: bytes | None = None
        self._events: bytes | None = None

    async def text(self) -> bytes:
        """Return the document as JSON."""
        async with self._lock:
            if self._text is None:
                self._text = await asyncio.to_thread(self._made)
            return self._text

    async def events(self) -> bytes:
        """Return the AsyncAPI document of all events as JSON."""
        async with self._lock:
            if self._events is None:
                self._events = await asyncio.to_thread(_events)
            return self._events

    def _made(self) -> bytes:
        from gateway.openapi import document  # noqa: PLC0415 - commands start without the schemas of OpenAPI

        made = document(self._operations, version=version("ymir"))
        return made.model_dump_json(by_alias=True, exclude_none=True).encode()


def _events() -> bytes:
    from gateway.asyncapi import asyncapi  # noqa: PLC0415 - as above

    return orjson.dumps(asyncapi(version=version("ymir")))


DESCRIPTION: Final = web.AppKey("description", Description)
