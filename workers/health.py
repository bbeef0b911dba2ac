"""How a worker is: what orchestrators and Prometheus ask it over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from prometheus_client import generate_latest

from storage.process import bound_to
from storage.readiness import Readiness

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


@asynccontextmanager
async def telling(readiness: Readiness, *, host: str, port: int) -> AsyncIterator[None]:
    """Answer ``/healthz``, ``/readyz`` and ``/metrics``; raise Unavailable if the port is taken."""
    app = web.Application()

    async def show_health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def show_readiness(_: web.Request) -> web.Response:
        missing = await readiness.missing()
        return web.json_response(
            {"status": "unready" if missing else "ready", "missing": dict(missing)}, status=503 if missing else 200
        )

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": TEXT})

    app.router.add_get("/healthz", show_health)
    app.router.add_get("/readyz", show_readiness)
    app.router.add_get("/metrics", show_metrics)
    runner = web.AppRunner(app, access_log=None)
    with bound_to(host, port, step="Choose another YMIR_HEALTH_PORT.") as bound:
        await runner.setup()
        try:
            await web.SockSite(runner, bound).start()
            yield
        finally:
            await runner.cleanup()
