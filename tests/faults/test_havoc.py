"""Everything breaks, again and again, under load; nothing is lost, and nothing happens twice."""

import asyncio
import logging
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from storage.rabbitmq_topology import Names
from tests.faults.deployment import Deployment, deployed
from tests.faults.havoc import Havoc
from tests.faults.invariants import check_blobs, check_events, check_records, check_tasks, is_quiet
from tests.faults.listener import Listener
from tests.faults.load import Load
from tests.faults.meddler import Meddler
from tests.faults.servers import Servers
from tests.faults.sizes import IS_FULL
from tests.faults.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

QUIET_SECONDS = 120.0
log = logging.getLogger(__name__)


class Size(NamedTuple):
    """How much is broken, and how much is asked for meanwhile."""

    projects: int
    workers: int
    broker_restarts: int
    database_restarts: int
    away_seconds: float
    calm_seconds: float
    blobs_away_seconds: float


SMALL = Size(
    projects=2, workers=5, broker_restarts=2, database_restarts=1, away_seconds=1, calm_seconds=1, blobs_away_seconds=3
)
FULL = Size(
    projects=4,
    workers=6,
    broker_restarts=5,
    database_restarts=3,
    away_seconds=5,
    calm_seconds=10,
    blobs_away_seconds=10,
)
SIZE = FULL if IS_FULL else SMALL


async def test_nothing_is_lost_and_nothing_happens_twice_when_everything_breaks(
    servers: Servers, tmp_path: Path
) -> None:
    async with deployed(servers, tmp_path, workers=SIZE.workers) as deployment, deployment.stores() as stores:
        listener = Listener(deployment.settings["YMIR_AMQP_URL"], Names(deployment.settings["YMIR_BUS"]))
        await listener.begin()
        havoc, meddler = Havoc(deployment, stores), Meddler(listener.url, listener.names.prefix)

        loads = await broken(deployment, havoc, meddler, tmp_path)
        await until(partial(is_quiet, stores), seconds=QUIET_SECONDS)

        await check_tasks(stores, {task: state for load in loads for task, state in load.accepted.items()})
        await check_records(stores)
        await check_events(stores, await listener.end())
        blobs = await check_blobs(stores)
        tasks = sum(len(load.accepted) for load in loads)
        log.info("%s tasks, %s blobs, %s kills, doorbells %s", tasks, blobs, havoc.kills, dict(meddler.done))
        assert havoc.kills >= 5
        assert min(meddler.done[what] for what in ("dropped", "doubled", "reordered")) > 0


async def broken(deployment: Deployment, havoc: Havoc, meddler: Meddler, folder: Path) -> list[Load]:
    """Break everything under load, until all of it was broken and the load has ended."""
    over = asyncio.Event()
    async with deployment.client() as client, asyncio.TaskGroup() as group:
        loads = [Load(client, f"project-{number}", folder, seed=number) for number in range(SIZE.projects)]
        for load in loads:
            group.create_task(load.run(until_set=over))
        group.create_task(meddler.run(until_set=over))
        group.create_task(havoc.kill_workers(until_set=over))
        await disasters(deployment, havoc)
        over.set()
    return loads


async def disasters(deployment: Deployment, havoc: Havoc) -> None:
    servers = deployment.servers
    await havoc.pause_worker()
    for number in range(max(SIZE.broker_restarts, SIZE.database_restarts)):
        await asyncio.sleep(SIZE.calm_seconds)
        if number < SIZE.broker_restarts:
            await havoc.restart(servers.broker, away_seconds=SIZE.away_seconds)
        if number < SIZE.database_restarts:
            await havoc.restart(servers.database, away_seconds=SIZE.away_seconds)
        if number == 0:
            await havoc.cut_off_blobs(seconds=SIZE.blobs_away_seconds)
