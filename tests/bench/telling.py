"""Events on the production profile: how long after it was decided what happened is known in each of the four ways."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import aio_pika
import numpy as np
import orjson
from aiohttp import ClientSession, ClientTimeout, web
from pymongo import MongoClient

from schemas.events import CloudEvent, EventType, LoggedEvent
from schemas.webhooks import NewWebhook, WebhookSubmission
from storage import rabbitmq_topology as topology
from storage.rabbitmq_topology import Names
from tests.bench.posting import post_all
from tests.bench.production import WORKER, Deployment
from tests.bench.row import Measured, Size
from tests.bench.tasks import PROJECT, a_sample, prepared
from tests.servers.found import MONGO, RABBITMQ
from tests.servers.process import free_port

RATE: Final = 100.0
EACH: Final = 4
"""Events of a task: queued, started, succeeded, and a version was made."""
CONNECTIONS: Final = 8
SLOTS: Final = '{"data": 32, "delivery": 64}'
LOOK_SECONDS: Final = 0.01
WAIT_SECONDS: Final = 90.0
WARM: Final = 100
ENDS: Final = frozenset({EventType.TASK_SUCCEEDED, EventType.VERSION_CREATED})

Came = dict[str, float]
"""When each event came, by its id and the clock of ``time.time``."""


class Ways(NamedTuple):
    """What came in each of the ways."""

    log: Came
    rabbitmq: Came
    sse: Came
    webhook: Came


async def everywhere(folder: Path, size: Size) -> Measured:
    """Have 100 events happen a second, and compare when each was decided with when it came; the slowest way counts."""
    async with prepared(folder) as deployment, _listening(deployment) as (ways, events):
        await deployment.start(WORKER, "worker", YMIR_WEBHOOK_NETWORKS="127.0.0.0/8", YMIR_SLOTS=SLOTS)
        await _happen(deployment, ways, WARM)
        for came in ways:
            came.clear()
        events.clear()
        before = deployment.used()
        start = time.time()
        await _happen(deployment, ways, size.posts)
        seconds = time.time() - start
        used = {name: after - before[name] for name, after in deployment.used().items()}
    told = [f"{name}: {_late(came, events)}" for name, came in ways._asdict().items()]
    told += [f"{name} {100 * spent / seconds:.0f} % of a core" for name, spent in used.items()]
    return Measured(
        runs=[max(_percentile(came, events, 99) for came in ways)],
        peak_mb=0.0,
        told="; ".join([f"{len(events)} events in {seconds:.0f} s", *told]),
        wrong=", ".join(
            f"{name} lacks events" for name, came in ways._asdict().items() if came.keys() != events.keys()
        ),
    )


async def _happen(deployment: Deployment, ways: Ways, count: int) -> None:
    """Post tasks for so many events, and wait until all have come in each way."""
    url = f"{deployment.url}/v1/projects/{PROJECT}/tasks"
    bodies = [orjson.dumps(a_sample(number)) for number in range(count // EACH)]
    await post_all(url, deployment.key, bodies, connections=CONNECTIONS, rate=RATE / EACH)
    until = time.time() + WAIT_SECONDS
    while any(len(came) < len(bodies) * EACH for came in ways):
        if time.time() > until:
            counts = {name: len(came) for name, came in ways._asdict().items()}
            raise RuntimeError(f"of {len(bodies) * EACH} events there came {counts}")
        await asyncio.sleep(LOOK_SECONDS)


def _late(came: Came, events: Mapping[str, CloudEvent]) -> str:
    ends = {identity: event for identity, event in events.items() if event.type in ENDS}
    figures = [_percentile(came, some, percent) for some in (events, ends) for percent in (50, 99)]
    return "p50 {:.0f} ms, p99 {:.0f} ms (ends alone {:.0f}, {:.0f})".format(*figures)


def _percentile(came: Came, events: Mapping[str, CloudEvent], percent: float) -> float:
    late = [1_000 * (came[one] - event.time.timestamp()) for one, event in events.items() if one in came]
    return float(np.percentile(late, percent))


@asynccontextmanager
async def _listening(deployment: Deployment) -> AsyncIterator[tuple[Ways, dict[str, CloudEvent]]]:
    """Listen in all ways; yield what came in each, and the events as they are in the log."""
    ways, events = Ways({}, {}, {}, {}), dict[str, CloudEvent]()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_webhook(deployment, ways.webhook))
        await stack.enter_async_context(_rabbitmq(deployment, ways.rabbitmq))
        jobs = [asyncio.ensure_future(job) for job in (_log(deployment, ways.log, events), _sse(deployment, ways.sse))]
        try:
            yield ways, events
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)


async def _log(deployment: Deployment, came: Came, events: dict[str, CloudEvent]) -> None:
    """Look into the log again and again, behind the backs of all adapters."""
    client: MongoClient[dict[str, str]] = MongoClient(deployment.settings[MONGO.setting])
    with client:
        log = client.get_default_database()["event"]
        newest = await asyncio.to_thread(log.find_one, {}, {"_id": 1}, sort=[("_id", -1)])
        last = newest["_id"] if newest else ""
        while True:
            found = await asyncio.to_thread(lambda after: list(log.find({"_id": {"$gt": after}})), last)
            for document in found:
                event = LoggedEvent.model_validate_json(document["body"]).event
                came[event.id], events[event.id] = time.time(), event
                last = document["_id"]
            await asyncio.sleep(LOOK_SECONDS)


async def _sse(deployment: Deployment, came: Came) -> None:
    headers = {"Authorization": f"Bearer {deployment.key}", "Accept": "text/event-stream"}
    async with (
        ClientSession(timeout=ClientTimeout(total=None)) as session,
        session.get(f"{deployment.url}/v1/events", headers=headers) as response,
    ):
        async for line in response.content:
            if line.startswith(b"data: "):
                came[orjson.loads(line.removeprefix(b"data: "))["id"]] = time.time()


@asynccontextmanager
async def _rabbitmq(deployment: Deployment, came: Came) -> AsyncIterator[None]:
    async def take(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        came[orjson.loads(message.body)["id"]] = time.time()

    async with await aio_pika.connect(deployment.settings[RABBITMQ.setting]) as connection:
        channel = await connection.channel()
        exchange = await topology.events(channel, names=Names(deployment.settings["YMIR_BUS"]))
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(exchange, "#")
        await queue.consume(take, no_ack=True)
        yield


@asynccontextmanager
async def _webhook(deployment: Deployment, came: Came) -> AsyncIterator[None]:
    async def take(request: web.Request) -> web.Response:
        came.setdefault(request.headers["webhook-id"], time.time())
        await request.read()
        return web.Response(status=204)

    app, port = web.Application(), free_port()
    app.router.add_post("/", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with deployment.client() as client:
        await client.post(NewWebhook, "/v1/webhooks", WebhookSubmission(url=f"http://127.0.0.1:{port}/"))
    yield
    await runner.cleanup()
