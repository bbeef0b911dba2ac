"""Deliveries: which event was sent to a webhook, how often, and what it answered; and sending it again."""

from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import Final

from aiohttp import web

from gateway.errands import ERRANDS
from gateway.operations import Routes
from gateway.reading import PageQuery, page_size, read, read_query
from gateway.replies import reply
from gateway.services import SERVICES
from gateway.webhooks import delivery_of, webhook_of
from schemas.errors import NotFound
from schemas.pages import Page
from schemas.service_parameters import DeliverParameters
from schemas.task_states import FINAL, TaskState
from schemas.tasks import Task
from schemas.webhooks import Redeliveries, RedeliverySubmission, Webhook, WebhookDelivery
from storage.paging import pages
from storage.ports import Query, Scalar

routes: Final = Routes("webhooks")

DELIVERIES: Final = "/v1/webhooks/{id}/deliveries"
TOGETHER: Final = 500


class DeliveryQuery(PageQuery):
    """Which deliveries are listed."""

    state: tuple[TaskState, ...] = ()


@routes.get(DELIVERIES, query=DeliveryQuery, answer=Page[WebhookDelivery])
async def list_deliveries(request: web.Request) -> web.Response:
    """List the deliveries of a webhook with their attempts, the newest first."""
    query, webhook = read_query(request, DeliveryQuery), await webhook_of(request)
    tasks = request.app[SERVICES].database.documents(Task)
    wanted = _of(webhook, query.state)
    page = await tasks.list(wanted, order="-created_at", limit=page_size(request, query), cursor=query.cursor)
    return reply(Page[WebhookDelivery](items=tuple(map(_delivery, page.items)), next=page.next))


@routes.get(f"{DELIVERIES}/{{delivery}}", answer=WebhookDelivery)
async def show_delivery(request: web.Request) -> web.Response:
    """Show a delivery with its attempts."""
    return reply(_delivery(await _task_of(request, await webhook_of(request))))


@routes.post(f"{DELIVERIES}/{{delivery}}/redeliver", answer=WebhookDelivery, status=HTTPStatus.ACCEPTED)
async def redeliver(request: web.Request) -> web.Response:
    """Send the event of a delivery again, with the same `webhook-id`; one that is still under way goes on besides."""
    webhook = await webhook_of(request)
    [again] = await _again(request, webhook, [await _task_of(request, webhook)])
    return reply(_delivery(again), status=HTTPStatus.ACCEPTED)


@routes.post("/v1/webhooks/{id}/redeliver", body=RedeliverySubmission, answer=Redeliveries, status=HTTPStatus.ACCEPTED)
async def redeliver_many(request: web.Request) -> web.Response:
    """Send again what a webhook did not take, or everything, since an instant."""
    wanted, webhook = await read(request, RedeliverySubmission), await webhook_of(request)
    count = 0
    async for some in _ended(request, webhook, failed_only=wanted.failed_only):
        chosen = [task for task in some if wanted.since is None or task.created_at >= wanted.since]
        count += len(await _again(request, webhook, chosen))
    return reply(Redeliveries(count=count), status=HTTPStatus.ACCEPTED)


async def _ended(request: web.Request, webhook: Webhook, *, failed_only: bool) -> AsyncIterator[Sequence[Task]]:
    """Yield the ended deliveries that no later one of the same event has taken the place of, some at a time."""
    tasks = request.app[SERVICES].database.documents(Task)
    states = (TaskState.FAILED,) if failed_only else tuple(FINAL)
    async for some in pages(tasks, _of(webhook, states), order="created_at", size=TOGETHER):
        later = {_parameters(task).once_more().delivery(): task for task in some}
        there = {task.id for task in await tasks.get_many([*later])}
        yield [task for identity, task in later.items() if identity not in there]


async def _again(request: web.Request, webhook: Webhook, tasks: Sequence[Task]) -> list[Task]:
    """Keep the tasks that send some events again, and ring for them; of two who ask at once, one does it."""
    services = request.app[SERVICES]
    documents, at = services.database.documents(Task), services.clock()
    made, wanted = list[Task](), [_parameters(task).once_more() for task in tasks]
    while wanted:
        again = [webhook.delivered_by(one, task=one.delivery(), at=at) for one in wanted]
        taken = [task.id for task, conflict in zip(again, await documents.add_many(again), strict=True) if conflict]
        there = await documents.get_many(taken)
        made += [task for task in again if task.id not in taken] + [task for task in there if not task.is_final]
        # What was sent again and has ended by now is sent once more.
        wanted = [_parameters(task).once_more() for task in there if task.is_final]
    for task in made:
        request.app[ERRANDS].ring(task)
    return made


def _of(webhook: Webhook, states: Sequence[TaskState]) -> Query:
    equal: dict[str, Scalar | Sequence[Scalar]] = {"parameters.webhook": webhook.id}
    return Query(equal={**equal, "state": states} if states else equal)


async def _task_of(request: web.Request, webhook: Webhook) -> Task:
    identity = request.match_info["delivery"]
    for task in await request.app[SERVICES].database.documents(Task).get_many([identity]):
        if isinstance(task.parameters, DeliverParameters) and task.parameters.webhook == webhook.id:
            return task
    raise NotFound("delivery", identity, step=f"GET /v1/webhooks/{webhook.id}/deliveries lists those there are.")


def _delivery(task: Task) -> WebhookDelivery:
    return delivery_of(task, _parameters(task))


def _parameters(task: Task) -> DeliverParameters:
    if not isinstance(task.parameters, DeliverParameters):
        message = "a delivery is a task that delivers"
        raise TypeError(message)
    return task.parameters
