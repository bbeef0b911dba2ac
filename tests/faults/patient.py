"""A client that goes on when the service says that a server is away."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from client.api import Client
from client.calls import Calls, Refused, Stream
from schemas.errors import Unavailable

AGAIN_SECONDS = 0.2
PATIENCE_SECONDS = 120.0


class PatientCalls:
    """Sends a call again until it is answered; a POST has a key by which it happens once."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def answer(self, method: str, path: str, **arguments: Any) -> bytes:  # noqa: ANN401 - those of the calls
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    return await self._calls.answer(method, path, **arguments)
                except Refused as refused:
                    problem = refused.problem
                    if problem.status != 503 and not (problem.status == 409 and "in progress" in problem.detail):
                        raise
                except Unavailable:
                    pass
                await asyncio.sleep(AGAIN_SECONDS)

    async def told(self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b"") -> Mapping[str, str]:
        # An upload is patient itself.
        return await self._calls.told(method, path, headers=headers, body=body)

    def stream(self, path: str) -> AbstractAsyncContextManager[Stream]:
        return self._calls.stream(path)


class Patient(Client):
    """A client that never gives up within the length of a test."""

    @classmethod
    def of(cls, client: Client) -> "Patient":
        """Return a client whose calls are those of another."""
        return cls(PatientCalls(client.calls))
