"""What strangers send to the queues of a running service: it is kept, listed and sent again; nothing stands still."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

import aio_pika
import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from gateway.__main__ import running as gateway_running
from gateway.settings import GatewaySettings
from schemas.parameters import Slot
from schemas.task_states import FINAL, TaskState
from storage.rabbitmq_topology import Names
from storage.settings import StoreSettings
from tests.faults.waiting import until
from tests.servers.mongod import another_database, drop_database
from tests.servers.process import free_port
from tests.servers.rabbitmq import delete_bus
from workers.__main__ import running as worker_running
from workers.importing.settings import ImportSettings
from workers.settings import WorkerSettings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SECONDS: Final = 30.0
KEY: Final = f"task.import.{Slot.DATA}"
FOREIGN: Final = {
    "not JSON": b"not JSON",
    "another shape": json.dumps({"task": [1, 2], "of": "somebody else"}).encode(),
    "empty": b"",
    "large": b"\x00\xff" * 2_500_000,
}


class Service(NamedTuple):
    """A gateway and a worker on the servers of production, and a stranger on their broker."""

    http: ClientSession
    names: Names
    stranger: aio_pika.abc.AbstractChannel

    async def send(self, body: bytes, *, exchange: str = "", key: str = KEY) -> None:
        target = await self.stranger.get_exchange(exchange or self.names.tasks)
        await target.publish(aio_pika.Message(body, headers={"from": "a stranger"}), key)

    async def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - any JSON
        async with self.http.request(method, path, json=body) as response:
            assert response.status < 400, await response.text()
            return await response.json()

    async def letters(self, count: int, *, times: int = 1) -> list[dict[str, Any]]:
        """Return the dead letters, once there are so many that came so often."""

        async def look() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = (await self.ask("GET", "/v1/dead-letters"))["items"]
            return found if len([letter for letter in found if letter["times"] >= times]) >= count else []

        return await until(look, seconds=SECONDS)

    async def end_of(self, task: str) -> TaskState:
        """Return the state in which a task ended."""

        async def look() -> TaskState | None:
            state = TaskState((await self.ask("GET", f"/v1/tasks/{task}"))["state"])
            return state if state in FINAL else None

        state = await until(look, seconds=SECONDS)
        assert state is not None
        return state

    async def is_ready(self) -> bool:
        """Return whether the gateway is ready, and knows the key."""
        answers = [await self.http.get(path) for path in ("/readyz", "/v1/projects")]
        return all(answer.ok for answer in answers)


@pytest.fixture
async def service(
    mongo_url: str, amqp_url: str, s3_settings: Mapping[str, str], tmp_path: Path
) -> AsyncIterator[Service]:
    name, port, database, key = f"test-{uuid4().hex}", free_port(), another_database(mongo_url), uuid4().hex
    stores = StoreSettings(
        mongo_url=SecretStr(database),
        amqp_url=SecretStr(amqp_url),
        s3_url=f"{s3_settings['YMIR_S3_URL']}/{name}",
        s3_access_key=s3_settings["YMIR_S3_ACCESS_KEY"],
        s3_secret_key=SecretStr(s3_settings["YMIR_S3_SECRET_KEY"]),
        bus=name,
    )
    gateway = GatewaySettings(
        link_key=SecretStr("signs links"), admin_key=SecretStr(key), port=port, import_roots=(tmp_path,), spool=tmp_path
    )
    worker = WorkerSettings(worker="worker", work=tmp_path / "work")
    headers = {"Authorization": f"Bearer {key}"}
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(gateway_running(stores, gateway))
        await stack.enter_async_context(worker_running(stores, worker, ImportSettings(import_roots=(tmp_path,))))
        http = await stack.enter_async_context(ClientSession(f"http://127.0.0.1:{port}", headers=headers))
        stranger = await stack.enter_async_context(await aio_pika.connect(amqp_url))
        service = Service(http, Names(name), await stranger.channel())
        await until(service.is_ready, seconds=SECONDS)
        yield service
    await delete_bus(amqp_url, name)
    await asyncio.to_thread(drop_database, database)


async def test_foreign_messages_become_letters_and_the_worker_goes_on(service: Service, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    await service.ask("POST", "/v1/projects", {"name": "birds"})
    for body in FOREIGN.values():
        await service.send(body)

    source = {"path": str(tmp_path / "pictures")}
    task = await service.ask("POST", "/v1/projects/birds/tasks", {"type": "import", "dataset": "d", "source": source})
    letters = await service.letters(len(FOREIGN))

    # There is nothing to import, and a worker said so: it is at work.
    assert await service.end_of(task["id"]) is TaskState.FAILED
    assert {letter["body"]["size"] for letter in letters} == {len(body) for body in FOREIGN.values()}
    assert {(letter["queue"], letter["reason"]) for letter in letters} == {(service.names.slot(Slot.DATA), "rejected")}
    for letter in letters:
        async with service.http.get(f"/v1/dead-letters/{letter['id']}/body") as response:
            assert await response.read() in FOREIGN.values()


async def test_a_letter_that_is_sent_again_and_still_foreign_comes_again(service: Service) -> None:
    await service.send(b"not JSON")
    [letter] = await service.letters(1)

    replayed = await service.ask("POST", f"/v1/dead-letters/{letter['id']}/replay")
    [again] = await service.letters(1, times=2)

    assert (replayed["replays"], again["id"], again["times"]) == (1, letter["id"], 2)
    assert again["headers"] == '{"from":"a stranger"}'
    assert again["came_at"] > letter["came_at"]
