"""A client that goes on when the service says that a server is away."""

import asyncio
from typing import Any, Self

from typing_extensions import override

from client.api import Client, Refused

AGAIN_SECONDS = 0.2
PATIENCE_SECONDS = 120.0


class Patient(Client):
    """Sends a call again until it is answered; a POST has a key by which it happens once."""

    @classmethod
    def of(cls, client: Client) -> Self:
        """Return a client that uses the session of another."""
        return cls(client._session, patience_seconds=PATIENCE_SECONDS)

    @override
    async def _bytes(self, method: str, path: str, **arguments: Any) -> bytes:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    return await super()._bytes(method, path, **arguments)
                except Refused as refused:
                    problem = refused.problem
                    if problem.status != 503 and not (problem.status == 409 and "in progress" in problem.detail):
                        raise
                await asyncio.sleep(AGAIN_SECONDS)
