"""References: what needs a model or a version, hidden or not, and keeps it from going for good."""

from typing import Final

from aiohttp import web

from gateway.finding import dataset_of, model_of, numbered_version, version_of
from gateway.operations import Routes
from gateway.references import references_to
from gateway.replies import reply
from gateway.services import SERVICES
from gateway.views import References

routes: Final = Routes("references")
DIGITS: Final = 16
"""More has no number of a version."""


@routes.get("/v1/projects/{project}/models/{id}/references", answer=References)
async def show_references_to_model(request: web.Request) -> web.Response:
    """Show what needs a model: as long as something does, it never goes for good."""
    model = await model_of(request, hidden=True)
    return reply(await references_to(model, request.app[SERVICES].database))


@routes.get("/v1/projects/{project}/datasets/{name}/versions/{ref}/references", answer=References)
async def show_references_to_version(request: web.Request) -> web.Response:
    """Show what needs a version: as long as something does, it never goes for good."""
    ref = request.match_info["ref"]
    if ref.isdecimal() and len(ref) < DIGITS:
        version = await numbered_version(request, await dataset_of(request, hidden=True), int(ref))
    else:
        version = await version_of(request)
    return reply(await references_to(version, request.app[SERVICES].database))
