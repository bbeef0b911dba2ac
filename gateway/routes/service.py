"""The service itself: how it is, what it counted, and what it can do."""

import asyncio
from importlib.resources import files
from typing import Final

from aiohttp import web

from gateway.logs import ANSWERS
from gateway.openapi import DOCUMENT
from gateway.operations import Routes
from gateway.replies import reply
from gateway.services import SERVICES
from gateway.views import Health
from schemas.errors import Unavailable
from schemas.tasks import Task, TaskState
from storage.ports import Query

routes: Final = Routes("service")

READY_SECONDS: Final = 2.0
PROMETHEUS: Final = "text/plain"
PAGE: Final = (files("gateway") / "docs.html").read_bytes()
# Everything the page needs is in it; nothing else is loaded, and nobody frames it.
POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "connect-src 'self'; img-src blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
PAGE_HEADERS: Final = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}


@routes.get("/healthz", answer=Health, public=True)
async def show_health(_: web.Request) -> web.Response:
    """Say that the process runs."""
    return reply(Health())


@routes.get("/readyz", answer=Health, public=True)
async def show_readiness(request: web.Request) -> web.Response:
    """Say whether the store of documents answers, and so whether tasks can be accepted."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            await request.app[SERVICES].database.documents(Task).get_many(["0" * 32])
    except TimeoutError as error:
        raise Unavailable("The store of documents does not answer.", step="Look at the store.") from error
    return reply(Health())


@routes.get("/metrics", media_type=PROMETHEUS)
async def show_metrics(request: web.Request) -> web.Response:
    """Send counts of answers and of tasks as Prometheus reads them."""
    tasks = request.app[SERVICES].database.documents(Task)
    lines = ["# TYPE ymir_http_answers_total counter"]
    for (method, route, status), count in sorted(request.app[ANSWERS].items()):
        lines.append(f'ymir_http_answers_total{{method="{method}",route="{route}",status="{status}"}} {count}')
    counts = {state: await tasks.count(Query(equal={"state": state})) for state in TaskState}
    lines += ["# TYPE ymir_tasks gauge", *(f'ymir_tasks{{state="{state}"}} {count}' for state, count in counts.items())]
    return web.Response(text="\n".join([*lines, ""]), headers={"Content-Type": f"{PROMETHEUS}; version=0.0.4"})


@routes.get("/openapi.json", public=True)
async def show_openapi(request: web.Request) -> web.Response:
    """Send this description of the service."""
    return web.Response(body=request.app[DOCUMENT], content_type="application/json")


@routes.get("/docs", media_type="text/html", public=True)
async def show_docs(_: web.Request) -> web.Response:
    """Show this description as a page that needs nothing else."""
    return web.Response(body=PAGE, content_type="text/html", charset="utf-8", headers=PAGE_HEADERS)
