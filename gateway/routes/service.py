"""The service itself: how it is, what it counted, and what it can do."""

from importlib.resources import files
from typing import Final

from aiohttp import web

from gateway.description import DESCRIPTION
from gateway.metrics import exposition
from gateway.operations import Routes
from gateway.replies import reply
from gateway.services import SERVICES
from gateway.views import Health, Readiness
from schemas.tasks import Task

routes: Final = Routes("service")

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


@routes.get("/readyz", answer=Readiness, public=True)
async def show_readiness(request: web.Request) -> web.Response:
    """Say whether tasks can be accepted, and which parts are away."""
    return reply(Readiness(missing=dict(await request.app[SERVICES].readiness.check())))


@routes.get("/metrics", media_type=PROMETHEUS)
async def show_metrics(request: web.Request) -> web.Response:
    """Send counts of answers and of tasks as Prometheus reads them."""
    services = request.app[SERVICES]
    text = await exposition(services.database.documents(Task), at=services.clock())
    return web.Response(body=text, headers={"Content-Type": f"{PROMETHEUS}; version=0.0.4; charset=utf-8"})


@routes.get("/openapi.json", public=True)
async def show_openapi(request: web.Request) -> web.Response:
    """Send this description of the service."""
    return web.Response(body=await request.app[DESCRIPTION].text(), content_type="application/json")


@routes.get("/asyncapi.json", public=True)
async def show_asyncapi(request: web.Request) -> web.Response:
    """Send the description of all events, by AsyncAPI 3."""
    return web.Response(body=await request.app[DESCRIPTION].events(), content_type="application/json")


@routes.get("/docs", media_type="text/html", public=True)
async def show_docs(_: web.Request) -> web.Response:
    """Show this description as a page that needs nothing else."""
    return web.Response(body=PAGE, content_type="text/html", charset="utf-8", headers=PAGE_HEADERS)
