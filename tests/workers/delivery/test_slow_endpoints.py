"""A slow endpoint delays its own deliveries, and nobody else's."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from schemas.events import EventType, Fact
from schemas.schema import new_id
from schemas.webhooks import SigningSecret, Webhook, new_secret
from storage.clock import utc_now
from storage.event_log import EventLog
from storage.local_bus import LocalBus
from storage.ports import Database
from storage.sqlite import open_database
from tests.factories import NOON, PROJECT
from tests.faults.waiting import until
from tests.workers.delivery.delivering import delivering
from workers.settings import WorkerSettings

pytestmark = pytest.mark.slow

EVENTS: Final = 200
RATE: Final = 100.0
HANGS_SECONDS: Final = 15.0
# Some tenths of a second where nothing else runs. Whoever waits for the one that hangs is later than this: by two
# seconds if it was turned away, by fifteen if it stood behind.
LATE_SECONDS: Final = 1.9
# All at once, they wait for each other too.
ALL_LATE_SECONDS: Final = 3.0


class Endpoints:
    """Where deliveries go, by path: each answers after a while of its own."""

    def __init__(self) -> None:
        self.came_at: defaultdict[str, dict[str, float]] = defaultdict(dict)
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        path = request.path.strip("/")
        self.came_at[path].setdefault(request.headers["webhook-id"], time.time())
        if path == "slow":
            await asyncio.sleep(HANGS_SECONDS)
        return web.Response(status=204)


@asynccontextmanager
async def endpoints() -> AsyncIterator[Endpoints]:
    endpoints = Endpoints()
    app = web.Application()
    app.router.add_post("/{tail:.*}", endpoints.take)
    async with TestServer(app, host="127.0.0.1", shutdown_timeout=0) as server:
        endpoints.url = str(server.make_url("/"))
        yield endpoints


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "ymir.db") as database:
        yield database


@pytest.mark.parametrize(
    ("rate", "late_seconds"), [(RATE, LATE_SECONDS), (float("inf"), ALL_LATE_SECONDS)], ids=["steadily", "at once"]
)
async def test_of_two_endpoints_the_quick_one_does_not_wait_for_the_one_that_hangs(
    database: Database, tmp_path: Path, rate: float, late_seconds: float
) -> None:
    settings = WorkerSettings(webhook_networks=(ip_network("127.0.0.0/8"),), work=tmp_path, grace_seconds=1.0)
    bus, log = LocalBus(), EventLog(database, "urn:ymir:test")
    async with endpoints() as there, delivering(database, bus, log, settings):
        for path in ("slow", "quick"):
            await a_webhook(database, there.url + path)
        await asyncio.sleep(0.5)
        happened = await happen(log, bus, rate=rate)
        await until(lambda: has_all(there), seconds=60)

    late = [came_at - happened[event] for event, came_at in there.came_at["quick"].items()]
    assert float(np.percentile(late, 99)) < late_seconds
    assert len(there.came_at["slow"]) >= settings.webhook_at_once


async def has_all(there: Endpoints) -> bool:
    return len(there.came_at["quick"]) == EVENTS


async def happen(log: EventLog, bus: LocalBus, *, rate: float) -> dict[str, float]:
    """Have events happen at a steady rate; return when each did."""
    happened: dict[str, float] = {}
    for number in range(EVENTS):
        fact = Fact(id=new_id(), type=EventType.TASK_SUCCEEDED, subject=str(number), time=utc_now())
        happened[fact.id] = time.time()
        await bus.publish(await log.append([(fact, PROJECT)]))
        await asyncio.sleep(1 / rate)
    return happened


async def a_webhook(database: Database, url: str) -> None:
    secrets = (SigningSecret(text=new_secret()),)
    webhook = Webhook(id=new_id(), url=url, secrets=secrets, created_by="me", created_at=NOON)
    await database.documents(Webhook).add(webhook)
