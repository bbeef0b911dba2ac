"""The consumers of docs/events.md get every event, and no forged one."""

import asyncio
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp.test_utils import TestClient, TestServer
from standardwebhooks import Webhook as Signer

from schemas.events import EventType, Fact
from schemas.schema import new_id
from schemas.webhooks import new_secret
from storage.clock import utc_now
from storage.rabbitmq import open_bus
from tests.factories import NOON, PROJECT
from tests.gateway.api import ADMIN, Api

PAGE = Path(__file__).parents[2] / "docs" / "events.md"


def example(name: str) -> dict[str, Any]:
    """Return the names that an example of the page defines."""
    code = re.search(rf"```python {name}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code[1], str(PAGE), "exec"), names)  # noqa: S102 - ours
    return names


def a_fact(number: int) -> Fact:
    return Fact(id=new_id(), type=EventType.TASK_QUEUED, subject=str(number), time=NOON)


async def test_the_consumer_of_the_stream_gets_all_and_goes_on(api: Api) -> None:
    log = api.services.event_log
    await log.append([(a_fact(number), PROJECT) for number in range(3)])
    follow = example("sse")["follow"]

    async with asyncio.timeout(20):
        events = follow(str(api.client.make_url("")).rstrip("/"), ADMIN)
        first = [await anext(events) for _ in range(3)]
        await log.append([(a_fact(3), PROJECT)])
        fourth = await anext(events)
        await events.aclose()

    assert [(position, event["subject"]) for position, event in [*first, fourth]] == [(n + 1, str(n)) for n in range(4)]


async def test_the_receiver_of_webhooks_takes_what_is_signed_and_once() -> None:
    secret, handled = new_secret(), list[str]()

    async def handle(event: dict[str, Any]) -> None:
        handled.append(event["subject"])

    body = a_fact(1).announced_by("urn:test").model_dump_json()
    now = utc_now()
    headers = {"webhook-id": "1", "webhook-timestamp": str(int(now.timestamp()))}
    async with TestClient(TestServer(example("webhook")["receiver"](secret, handle))) as client:
        forged = {**headers, "webhook-signature": Signer(new_secret()).sign("1", now, body)}
        signed = {**headers, "webhook-signature": Signer(secret).sign("1", now, body)}
        answers = [(await client.post("/ymir", data=body, headers=given)).status for given in (forged, signed, signed)]

    assert answers == [401, 204, 204]
    assert handled == ["1"]


async def test_the_consumer_of_rabbitmq_gets_what_it_is_bound_for(amqp_url: str) -> None:
    handled: asyncio.Queue[str] = asyncio.Queue()

    async def handle(event: dict[str, Any]) -> None:
        await handled.put(event["subject"])

    consume = example("rabbitmq")["consume"]
    queue = f"example-{uuid4().hex}"
    async with asyncio.timeout(60), open_bus(amqp_url, name="ymir") as bus:
        consuming = asyncio.create_task(consume(amqp_url, handle, queue=queue, pattern="ymir.task.*"))
        while handled.empty():
            await bus.publish([a_fact(7).announced_by("urn:test")])
            await asyncio.sleep(0.2)
        consuming.cancel()
        await asyncio.wait([consuming])  # cancelled again while it closes its connection, aio-pika would never end

    assert handled.get_nowait() == "7"
