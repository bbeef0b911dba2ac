"""Webhooks as the gateway finds, shows and checks them, and the tasks that deliver to them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from aiohttp import web
from pydantic import TypeAdapter

from gateway.finding import no_project, project_named
from gateway.problems import gathered
from gateway.services import CALLER, SERVICES
from schemas.errors import Denied, Fault, NotFound
from schemas.keys import ApiKey, Role
from schemas.projects import Project
from schemas.schema import Id
from schemas.service_parameters import OF_THE_SERVICE, DeliverParameters
from schemas.tasks import Task
from schemas.webhooks import Attempt, Webhook, WebhookDelivery, WebhookView

ATTEMPTS: Final = TypeAdapter(tuple[Attempt, ...])


async def webhook_of(request: web.Request) -> Webhook:
    """Return the webhook that an address names, if the caller administers all that it tells of; raise NotFound."""
    identity = request.match_info["id"]
    found = await request.app[SERVICES].database.documents(Webhook).get_many([identity])
    if not found or not manages(request[CALLER], found[0].projects):
        raise NotFound("webhook", identity, step="GET /v1/webhooks lists those there are.")
    return found[0]


def manages(caller: ApiKey, projects: Sequence[Id]) -> bool:
    """Return whether a key administers all that a webhook of some projects, or of all, tells of."""
    return caller.is_admin or (bool(projects) and all(caller.role_in(one) is Role.ADMIN for one in projects))


async def told_of(request: web.Request, names: Sequence[str]) -> tuple[Project, ...]:
    """Return the projects that a webhook is to tell of.

    Raises Invalid naming those that are not there, Denied where the caller does not administer them all.
    """
    projects: list[Project] = []
    faults: list[Fault] = []
    caller = request[CALLER]
    for place, name in enumerate(names):
        try:
            project = await project_named(request.app[SERVICES].database, name, hidden=True)
            if caller.role_in(project.id) is None:
                raise no_project(name)
        except NotFound as error:
            faults.append(Fault(error.detail, f"/projects/{place}"))
        else:
            projects.append(project)
    gathered(faults, "The webhook names projects that do not exist.", step="See GET /v1/projects.")
    if not manages(caller, [project.id for project in projects]):
        detail = f"The key {caller.name!r} does not administer all that the webhook would tell of."
        raise Denied(detail, step="Name projects that it administers.")
    return tuple(projects)


def shown(webhook: Webhook) -> WebhookView:
    """Return a webhook without its secrets."""
    fields = {name: getattr(webhook, name) for name in WebhookView.model_fields if name in Webhook.model_fields}
    return WebhookView(**{**fields, "projects": webhook.project_names, "enabled": webhook.disabled_at is None})


def delivery_task(webhook: Webhook, parameters: DeliverParameters, *, identity: Id, at: datetime) -> Task:
    """Return the task that sends an event."""
    return Task(
        id=identity,
        project=OF_THE_SERVICE,
        parameters=parameters,
        created_by=webhook.created_by,
        created_at=at,
        updated_at=at,
    )


def delivery_of(task: Task, parameters: DeliverParameters) -> WebhookDelivery:
    """Return the delivery that a task makes."""
    return WebhookDelivery(
        id=task.id,
        event=parameters.event.id,
        type=parameters.event.type,
        position=parameters.position,
        redelivery=parameters.redelivery,
        state=task.state,
        attempts=ATTEMPTS.validate_python(task.result.summary.get("attempts", [])),
        next_attempt_at=task.not_before,
        created_at=task.created_at,
        ended_at=task.ended_at,
    )
