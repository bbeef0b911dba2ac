"""Workers that are killed while they send: every event comes all the same, each under one id."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from schemas.algebra_parameters import SampleParameters
from schemas.events import CloudEvent, LoggedEvent
from schemas.schema import Id, derived_id
from schemas.service_parameters import OF_THE_SERVICE
from schemas.task_states import TaskState
from schemas.tasks import Task
from schemas.webhooks import NewWebhook, Webhook, WebhookSubmission
from storage.production import Stores
from tests.faults import gated
from tests.faults.deployment import Deployment, deployed
from tests.faults.invariants import all_of, is_quiet
from tests.faults.patient import Patient
from tests.faults.servers import Servers
from tests.faults.sizes import IS_FULL
from tests.faults.waiting import until
from tests.servers.process import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TASKS = 150 if IS_FULL else 30
KILLS = 8 if IS_FULL else 3
EVERY = 12
"""After so many requests a worker is killed that is sending one of them."""
QUIET_SECONDS = 90.0
SETTINGS = {
    "YMIR_WEBHOOK_NETWORKS": "127.0.0.0/8",
    "YMIR_SLOTS": '{"data": 2, "executor": 1, "service": 1, "delivery": 4}',
}


class Receiver:
    """Takes events, and asks for a worker's death in the middle of some."""

    def __init__(self) -> None:
        self.came: defaultdict[str, list[bytes]] = defaultdict(list)
        self.port = free_port()
        self.requests = 0
        self.kills = 0
        self.kill: Callable[[str], Awaitable[None]] | None = None

    async def take(self, request: web.Request) -> web.Response:
        body, identity = await request.read(), request.headers["webhook-id"]
        self.requests += 1
        if self.kill is not None and self.kills < KILLS and self.requests % EVERY == 0:
            self.kills += 1
            await self.kill(identity)  # the answer comes too late for whoever sent this
        self.came[identity].append(body)
        return web.Response(status=204)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/", receiver.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", receiver.port).start()
    yield receiver
    await runner.cleanup()


async def test_of_workers_that_are_killed_while_they_send_every_event_comes_at_least_once(
    servers: Servers, tmp_path: Path
) -> None:
    async with (
        receiving() as receiver,
        deployed(servers, tmp_path, workers=2, **SETTINGS) as deployment,
        deployment.client() as client,
        deployment.stores() as stores,
    ):
        await gated.stocked(client, tmp_path)
        url = f"http://127.0.0.1:{receiver.port}/"
        webhook = await client.post(NewWebhook, "/v1/webhooks", WebhookSubmission(url=url))
        receiver.kill = partial(kill_sender, deployment, stores, webhook.id)
        await asyncio.gather(*(sampled(client, number) for number in range(TASKS)))
        await until(partial(is_quiet, stores), seconds=QUIET_SECONDS)

        kept = await stores.database.documents(Webhook).get(webhook.id)
        logged = sorted([one async for one in all_of(stores, LoggedEvent)], key=lambda one: one.position)
        deliveries = [task async for task in all_of(stores, Task) if task.project == OF_THE_SERVICE]

    wanted = {one.event.id: one.event for one in logged if kept.wants(one)}
    assert receiver.kills == KILLS
    assert [one.position for one in logged] == list(range(1, len(logged) + 1))
    assert {identity: CloudEvent.model_validate_json(bodies[0]) for identity, bodies in receiver.came.items()} == wanted
    assert [identity for identity, bodies in receiver.came.items() if len(set(bodies)) > 1] == []
    assert (len(deliveries), {task.state for task in deliveries}) == (len(wanted), {TaskState.SUCCEEDED})
    # What those who were killed had sent was not written down yet.
    assert sum(len(bodies) for bodies in receiver.came.values()) >= len(wanted) + KILLS


async def sampled(client: Patient, number: int) -> None:
    parameters = SampleParameters(dataset=f"few-{number}", source="training", count=1, seed=number)
    await client.ended(await client.submit(gated.PROJECT, parameters))


async def kill_sender(deployment: Deployment, stores: Stores, webhook: Id, event: str) -> None:
    """Kill the worker that is sending an event, and start it again."""
    task = await stores.database.documents(Task).get(derived_id("delivery", webhook, event, 0))
    sender = deployment.owner(task.owner)
    await sender.program.kill()
    await sender.start()
