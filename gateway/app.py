"""The application: services, routes and what every request goes through."""

from typing import Final

from aiohttp import web

from gateway.auth import KEYS, Keys, auth
from gateway.description import DESCRIPTION, Description
from gateway.errands import errands
from gateway.idempotency import UNDER_WAY, idempotency
from gateway.logs import logs, tell_request_id
from gateway.marks import MARKS, Marks
from gateway.operations import OPERATIONS, Operation
from gateway.packages import UNPACKING, Unpacking
from gateway.partial_uploads import PARTIAL, PartialUploads
from gateway.problems import problems
from gateway.rates import BUCKETS, Buckets, rates
from gateway.routes import (
    assets,
    classes,
    conflicts,
    datasets,
    dead_letters,
    deliveries,
    evaluation_details,
    evaluations,
    events,
    executors,
    hooks,
    hosts,
    keys,
    labeling,
    learning,
    model_files,
    models,
    pictures,
    predictions,
    projects,
    references,
    resumable,
    rules,
    service,
    tasks,
    uploads,
    versions,
    webhooks,
)
from gateway.services import SERVICES, Services
from gateway.signs import end_streams, signs
from gateway.streaming import STREAMS
from gateway.thumbnails import THUMBNAILS, Thumbnails
from gateway.tus import tell_tus

RESOURCES: Final = (
    projects,
    classes,
    tasks,
    predictions,
    conflicts,
    datasets,
    versions,
    assets,
    pictures,
    uploads,
    resumable,
    models,
    model_files,
    references,
    learning,
    evaluations,
    evaluation_details,
    executors,
    hosts,
    keys,
    events,
    webhooks,
    deliveries,
    rules,
    labeling,
    hooks,
    dead_letters,
    service,
)


def operations() -> tuple[Operation, ...]:
    """Return everything that the gateway can be asked."""
    return tuple(operation for resource in RESOURCES for operation in resource.routes.operations)


def build_app(services: Services) -> web.Application:
    """Return the gateway on some services; they stay the caller's to close."""
    app = web.Application(
        # From the outside in: every answer is logged, every error becomes a problem, and only then is anything asked.
        middlewares=[logs, problems, auth, rates, idempotency],
        client_max_size=services.settings.body_limit_bytes,
    )
    offered = operations()
    app[SERVICES] = services
    app[KEYS] = Keys(services)
    app[BUCKETS] = Buckets(services.settings)
    app[THUMBNAILS] = Thumbnails(services.blobs, services.settings)
    app[MARKS] = Marks(services.database, services.blobs)
    app[UNDER_WAY] = set()
    app[PARTIAL] = PartialUploads(services)
    app[UNPACKING] = Unpacking()
    app[OPERATIONS] = {(operation.method, operation.path): operation for operation in offered}
    app[DESCRIPTION] = Description(offered)
    app[STREAMS] = set()
    app.cleanup_ctx.append(errands)
    app.cleanup_ctx.append(signs)
    app.on_shutdown.append(end_streams)
    app.on_response_prepare.append(tell_request_id)
    app.on_response_prepare.append(tell_tus)
    for operation in offered:
        if operation.method == "GET":
            has_head = ("HEAD", operation.path) in app[OPERATIONS]
            app.router.add_get(operation.path, operation.handler, allow_head=not has_head)
        else:
            app.router.add_route(operation.method, operation.path, operation.handler)
    return app
