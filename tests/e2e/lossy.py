"""A way to a service on which deliveries get lost, come several times, and in another order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from aiohttp import ClientError, ClientSession, web


class Lossy:
    """Passes requests on; what is posted is answered at once, and delivered, or not, afterwards."""

    def __init__(self, *, lost: float, times: int, longest_seconds: float) -> None:
        self.url = ""
        self.to = ""
        """Where the service is; may be told later."""
        self.came: list[bytes] = []
        self.dropped = 0
        self.answers: list[int] = []
        self._lost = lost
        self._times = times
        self._longest_seconds = longest_seconds
        self._random = Random(5)
        self._under_way: set[asyncio.Task[None]] = set()

    async def delivered(self) -> None:
        """Wait until whatever came was delivered."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def take(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            return await self._post(request)
        async with ClientSession() as session, session.get(f"{self.to}{request.path_qs}") as answer:
            headers = {
                name: value for name, value in answer.headers.items() if name.startswith(("Content-T", "Access"))
            }
            return web.Response(status=answer.status, body=await answer.read(), headers=headers)

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.came.append(body)
        if self._random.random() < self._lost:
            self.dropped += 1
        else:
            for _ in range(self._times):
                delivery = asyncio.create_task(self._deliver(request.path_qs, body))
                self._under_way.add(delivery)
                delivery.add_done_callback(self._under_way.discard)
        return web.Response()

    async def _deliver(self, path: str, body: bytes) -> None:
        await asyncio.sleep(self._random.uniform(0, self._longest_seconds))
        try:
            async with ClientSession() as session, session.post(f"{self.to}{path}", data=body) as answer:
                self.answers.append(answer.status)
        except ClientError:
            self.dropped += 1  # nobody is there


@asynccontextmanager
async def lossy(*, lost: float, times: int, longest_seconds: float) -> AsyncIterator[Lossy]:
    """Open such a way."""
    way = Lossy(lost=lost, times=times, longest_seconds=longest_seconds)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", way.take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        way.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield way
        await way.delivered()
    finally:
        await runner.cleanup()
