"""Servers that are away for a while: what runs goes on, and what is asked for is done when they are back."""

import asyncio
import signal
import time
from pathlib import Path

import aio_pika
import pytest
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage

from schemas.algebra_parameters import SampleParameters
from schemas.task_states import TaskState
from tests.faults import gated
from tests.faults.deployment import deployed
from tests.faults.servers import Servers
from tests.faults.sizes import ACKNOWLEDGED_SECONDS, IS_FULL
from tests.faults.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LEASE_SECONDS = 7.5
# Twice what a sweep needs to look, and a fifth of the lease.
LOOK_SECONDS = 1.5
ACCEPTED_SECONDS = 3.0
BACK_SECONDS = 60.0
OUTAGES = (signal.SIGKILL, signal.SIGSTOP) if IS_FULL else (signal.SIGKILL,)
OUT_OF_PATIENCE = "has timed out waiting for"


@pytest.mark.parametrize("number", OUTAGES)
async def test_an_outage_of_the_database_longer_than_every_lease_restarts_no_running_task(
    servers: Servers, tmp_path: Path, number: signal.Signals
) -> None:
    gate = gated.built(tmp_path)
    settings = {"YMIR_PROCESS_EXECUTORS": str(gate.executor), "YMIR_ORPHAN_SECONDS": str(LEASE_SECONDS)}
    async with deployed(servers, tmp_path, workers=2, **settings) as deployment, deployment.client() as client:
        await gated.stocked(client, tmp_path)
        task = await client.submit(gated.PROJECT, gated.TRAINING)
        await gate.reached()
        owner = deployment.owner((await gated.current(client, task)).owner)

        # It is seen without a beat before the outage, and is the last to notice that it is over.
        owner.program.signal(signal.SIGSTOP)
        await asyncio.sleep(LOOK_SECONDS)
        await outage(servers, number, seconds=LEASE_SECONDS + 1)
        back = await gated.current(client, task)
        await asyncio.sleep(LOOK_SECONDS)
        owner.program.signal(signal.SIGCONT)

        async def beats_again() -> bool:
            return (await gated.current(client, task)).beat > back.beat + 1

        await until(beats_again, seconds=BACK_SECONDS)
        gate.open()
        ended = await client.ended(task)

        assert (ended.epoch, ended.outlived, ended.tries) == (1, 0, 0)
        assert await gate.runs() == 1


async def test_a_task_that_is_posted_while_the_broker_is_away_is_accepted_at_once_and_runs_when_it_is_back(
    servers: Servers, tmp_path: Path
) -> None:
    async with deployed(servers, tmp_path, workers=1) as deployment, deployment.client() as client:
        await gated.stocked(client, tmp_path)
        await servers.broker.kill()

        asked_at = time.monotonic()
        task = await client.submit(gated.PROJECT, SampleParameters(dataset="few", source="training", count=3))
        seconds = time.monotonic() - asked_at
        queued = await gated.current(client, task)
        await servers.broker.start()
        await asyncio.wait_for(client.ended(task), BACK_SECONDS)

        assert seconds < ACCEPTED_SECONDS
        assert queued.state is TaskState.QUEUED


async def test_a_task_longer_than_the_brokers_patience_for_acknowledgements_survives(
    servers: Servers, tmp_path: Path
) -> None:
    gate = gated.built(tmp_path)
    executors = {"YMIR_PROCESS_EXECUTORS": str(gate.executor)}
    async with deployed(servers, tmp_path, workers=2, **executors) as deployment, deployment.client() as client:
        await gated.stocked(client, tmp_path)
        task = await client.submit(gated.PROJECT, gated.TRAINING)
        await gate.reached()

        before = servers.broker_said().count(OUT_OF_PATIENCE)
        await the_broker_loses_patience(deployment.settings["YMIR_AMQP_URL"])
        gate.open()
        ended = await client.ended(task)

        assert (ended.epoch, ended.outlived) == (1, 0)
        assert servers.broker_said().count(OUT_OF_PATIENCE) - before == 1
        assert await gate.runs() == 1


async def outage(servers: Servers, number: signal.Signals, *, seconds: float) -> None:
    """Have the database killed, or hang, for some seconds."""
    if number is signal.SIGKILL:
        await servers.database.kill()
    else:
        servers.database.process.signal(number)
    await asyncio.sleep(seconds)
    await servers.database.start()


async def the_broker_loses_patience(url: str) -> None:
    """Return when the broker has closed a channel that did not acknowledge a message."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        message = Message(b"never acknowledged", delivery_mode=DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, queue.name)
        closed = asyncio.Event()
        channel.close_callbacks.add(lambda *_: closed.set())
        await queue.consume(do_nothing)
        await asyncio.wait_for(closed.wait(), 4 * ACKNOWLEDGED_SECONDS)


async def do_nothing(_: AbstractIncomingMessage) -> None:
    pass
