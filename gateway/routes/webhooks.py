"""Webhooks: the addresses that events are sent to."""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from gateway.errands import ERRANDS
from gateway.idempotency import identity_of
from gateway.operations import Routes
from gateway.reading import PageQuery, page_size, read, read_query
from gateway.replies import changed, nothing, reply
from gateway.services import CALLER, SERVICES
from gateway.webhooks import delivery_of, shown, told_of, webhook_of
from schemas.events import CloudEvent, EventType
from schemas.pages import Page
from schemas.schema import new_id
from schemas.service_parameters import DeliverParameters
from schemas.tasks import Task
from schemas.webhooks import (
    NewWebhook,
    Rotation,
    SigningSecret,
    Webhook,
    WebhookChange,
    WebhookDelivery,
    WebhookSubmission,
    WebhookView,
    new_secret,
)
from storage.contested import added

routes: Final = Routes("webhooks")

WEBHOOK: Final = "/v1/webhooks/{id}"
STRICT: Final[Mapping[str, str]] = {"Cache-Control": "no-store"}


@routes.get("/v1/webhooks", query=PageQuery, answer=Page[WebhookView])
async def list_webhooks(request: web.Request) -> web.Response:
    """List the webhooks that the caller may change, the newest first; a page may be short and not be the last."""
    query = read_query(request, PageQuery)
    webhooks = request.app[SERVICES].database.documents(Webhook)
    page = await webhooks.list(order="-created_at", limit=page_size(request, query), cursor=query.cursor)
    views = [shown(webhook) for webhook in page.items if request[CALLER].administers(webhook.projects)]
    return reply(Page[WebhookView](items=tuple(views), next=page.next))


@routes.post("/v1/webhooks", body=WebhookSubmission, answer=NewWebhook, status=201, created=True)
async def create_webhook(request: web.Request) -> web.Response:
    """Make a webhook: what happens from now on is sent to it, signed by the secret in this answer."""
    submission, services = await read(request, WebhookSubmission), request.app[SERVICES]
    projects = await told_of(request, submission.projects)
    webhook = Webhook(
        id=identity_of(request),
        url=submission.url,
        description=submission.description,
        types=submission.types,
        projects=tuple(project.id for project in projects),
        project_names=tuple(project.name for project in projects),
        secrets=(SigningSecret(text=new_secret()),),
        after=await services.event_log.last(),
        created_by=request[CALLER].name,
        created_at=services.clock(),
    )
    webhook = await added(webhook, services.database.documents(Webhook))
    return reply(_new(webhook), status=201, headers={"Location": f"/v1/webhooks/{webhook.id}", **STRICT})


@routes.get(WEBHOOK, answer=WebhookView)
async def show_webhook(request: web.Request) -> web.Response:
    """Show a webhook."""
    return _shown(await webhook_of(request))


@routes.patch(WEBHOOK, body=WebhookChange, answer=WebhookView)
async def change_webhook(request: web.Request) -> web.Response:
    """Change a webhook, disable it, or enable it again."""
    change, services = await read(request, WebhookChange), request.app[SERVICES]
    changes: dict[str, Any] = change.model_dump(exclude_none=True, exclude={"projects", "enabled"})
    if change.projects is not None:
        projects = await told_of(request, change.projects)
        changes["projects"] = tuple(project.id for project in projects)
        changes["project_names"] = tuple(project.name for project in projects)
    now, last = services.clock(), await services.event_log.last()

    def apply(webhook: Webhook) -> Webhook:
        switched: dict[str, Any] = {}
        if change.enabled is False and webhook.disabled_at is None:
            switched = {"disabled_at": now, "disabled_because": f"{request[CALLER].name} disabled it."}
        if change.enabled is True and webhook.disabled_at is not None:
            switched = {"disabled_at": None, "disabled_because": "", "after": last}
        return webhook.successor(**changes, **switched)

    webhooks = services.database.documents(Webhook)
    return _shown(await changed(request, webhooks, lambda: webhook_of(request), apply))


@routes.delete(WEBHOOK)
async def remove_webhook(request: web.Request) -> web.Response:
    """Remove a webhook; what was still to be sent to it is not."""
    webhook = await webhook_of(request)
    await request.app[SERVICES].database.documents(Webhook).remove(webhook.id)
    return nothing()


@routes.post(f"{WEBHOOK}/rotate", body=Rotation, answer=NewWebhook)
async def rotate_secret(request: web.Request) -> web.Response:
    """Give a webhook a new secret; for a while the one before signs as well."""
    rotation, services = await read(request, Rotation), request.app[SERVICES]
    secret, ends_at = new_secret(), services.clock() + timedelta(hours=rotation.overlap_hours)
    webhooks = services.database.documents(Webhook)
    rotated = await changed(
        request, webhooks, lambda: webhook_of(request), lambda webhook: webhook.rotated(secret, ends_at=ends_at)
    )
    return reply(_new(rotated), headers=STRICT)


@routes.post(f"{WEBHOOK}/test", answer=WebhookDelivery, status=HTTPStatus.ACCEPTED)
async def test_webhook(request: web.Request) -> web.Response:
    """Send an event of the type `ymir.webhook.tested` to a webhook, and to no other; see its deliveries."""
    services, webhook = request.app[SERVICES], await webhook_of(request)
    now = services.clock()
    event = CloudEvent(
        id=new_id(),
        source=services.event_log.source,
        type=EventType.WEBHOOK_TESTED,
        subject=webhook.id,
        time=now,
        data={"webhook": webhook.id, "asked_by": request[CALLER].name},
    )
    parameters = DeliverParameters(webhook=webhook.id, event=event)
    task = webhook.delivered_by(parameters, task=identity_of(request), at=now)
    await services.database.documents(Task).add(task)
    request.app[ERRANDS].ring(task)
    return reply(delivery_of(task, parameters), status=HTTPStatus.ACCEPTED)


def _new(webhook: Webhook) -> NewWebhook:
    return NewWebhook(**shown(webhook).model_dump(), secret=webhook.secrets[0].text)


def _shown(webhook: Webhook) -> web.Response:
    return reply(shown(webhook), headers={"ETag": f'"{webhook.generation}"'})
