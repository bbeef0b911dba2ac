"""Webhooks and their deliveries as the gateway finds, checks and shows them."""

from collections.abc import Sequence

from aiohttp import web

from gateway.finding import readable_projects
from gateway.services import CALLER, SERVICES
from schemas.errors import Denied, NotFound
from schemas.projects import Project
from schemas.service_parameters import DeliverParameters
from schemas.tasks import Task
from schemas.webhooks import Webhook, WebhookDelivery, WebhookView, attempts_of


async def webhook_of(request: web.Request) -> Webhook:
    """Return the webhook that an address names, if the caller administers all that it tells of; raise NotFound."""
    identity = request.match_info["id"]
    found = await request.app[SERVICES].database.documents(Webhook).get_many([identity])
    if not found or not request[CALLER].administers(found[0].projects):
        raise NotFound("webhook", identity, step="GET /v1/webhooks lists those there are.")
    return found[0]


async def told_of(request: web.Request, names: Sequence[str]) -> tuple[Project, ...]:
    """Return the projects that a webhook is to tell of.

    Raises Invalid naming those that are not there, Denied where the caller does not administer them all.
    """
    caller = request[CALLER]
    pointers = {f"/projects/{place}": name for place, name in enumerate(names)}
    projects = await readable_projects(request, pointers, whose="webhook", hidden=True)
    if not caller.administers([project.id for project in projects]):
        detail = f"The key {caller.name!r} does not administer all that the webhook would tell of."
        raise Denied(detail, step="Name projects that it administers.")
    return tuple(projects)


def shown(webhook: Webhook) -> WebhookView:
    """Return a webhook without its secrets."""
    fields = {name: getattr(webhook, name) for name in WebhookView.model_fields if name in Webhook.model_fields}
    return WebhookView(**{**fields, "projects": webhook.project_names, "enabled": webhook.disabled_at is None})


def delivery_of(task: Task, parameters: DeliverParameters) -> WebhookDelivery:
    """Return the delivery that a task makes."""
    return WebhookDelivery(
        id=task.id,
        event=parameters.event.id,
        type=parameters.event.type,
        position=parameters.position,
        redelivery=parameters.redelivery,
        state=task.state,
        attempts=attempts_of(task.result),
        next_attempt_at=task.not_before,
        created_at=task.created_at,
        ended_at=task.ended_at,
    )
