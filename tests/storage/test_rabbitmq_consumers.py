"""What the broker ends, it ends without a word to who waits: the listeners notice, and listen again."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar
from uuid import UUID, uuid4

import aio_pika
import pytest
from aio_pika.exceptions import ChannelNotFoundEntity
from structlog.testing import capture_logs

from schemas.errors import Unavailable
from schemas.parameters import Slot
from schemas.tasks import Doorbell
from storage.ports import Delivery
from storage.rabbitmq import RabbitBus, open_bus
from storage.rabbitmq_topology import Names
from tests.contract.reading_bus import SECONDS, a_doorbell, an_event, take
from tests.servers.rabbitmq import delete_bus

pytestmark = pytest.mark.slow

NAME = f"test-{uuid4().hex}"
QUEUE = Names(NAME).slot(Slot.DATA)
T = TypeVar("T")


@pytest.fixture
async def bus(amqp_url: str) -> AsyncIterator[RabbitBus]:
    async with open_bus(amqp_url, name=NAME) as bus:
        yield bus
    await delete_bus(amqp_url, NAME)


async def test_a_listener_whose_queue_is_deleted_declares_it_again_and_hears_doorbells(
    bus: RabbitBus, amqp_url: str
) -> None:
    taken, late = a_doorbell(), a_doorbell()
    async with bus.doorbells(Slot.DATA) as deliveries:
        await bus.ring(taken)
        [delivery] = await take(deliveries, 1)
        waits = await waiting(deliveries)

        with capture_logs() as logs:
            await delete_queue(amqp_url, QUEUE)
            await delivery.acknowledge()
            await declared(amqp_url, QUEUE)
            await ring_at_last(bus, late)
            heard = await anext_of(waits)

    assert heard.doorbell == late
    assert [line["event"] for line in logs] == ["the broker ended a consumer"]


async def test_a_listener_whose_queue_is_declared_by_another_at_once_hears_again_after_some_silence(
    bus: RabbitBus, amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.rabbitmq_subscription.SILENT_SECONDS", 1.0)
    late = a_doorbell()
    async with bus.doorbells(Slot.DATA) as deliveries, open_bus(amqp_url, name=NAME) as other:
        waits = await waiting(deliveries)

        await delete_queue(amqp_url, QUEUE)
        await other.ring(late)

        assert (await anext_of(waits)).doorbell == late


async def test_silence_loses_nothing(bus: RabbitBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.rabbitmq_subscription.SILENT_SECONDS", 0.01)
    doorbells, event = {a_doorbell() for _ in range(50)}, an_event()
    async with bus.doorbells(Slot.DATA) as deliveries, bus.events() as events:
        waits = await waiting(events)
        answered = asyncio.ensure_future(answer_all(deliveries, doorbells))
        for doorbell in doorbells:
            await bus.ring(doorbell)
            await asyncio.wait([answered], timeout=0.01)
        await bus.publish([event])

        assert await anext_of(waits) == event
        await anext_of(answered)


async def test_a_listener_to_events_whose_queue_is_deleted_hears_those_that_follow(
    bus: RabbitBus, amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, listener = an_event(), UUID(int=7)
    monkeypatch.setattr("storage.rabbitmq.uuid4", lambda: listener)
    async with bus.events() as events:
        waits = await waiting(events)
        await delete_queue(amqp_url, f"{Names(NAME).events}.{listener.hex}")

        async with asyncio.timeout(SECONDS):
            while not waits.done():
                await bus.publish([event])
                await asyncio.wait([waits], timeout=0.1)

        assert waits.result() == event


async def waiting(items: AsyncIterator[T]) -> "asyncio.Future[T]":
    """Return the wait for the next item once it is under way."""
    waits = asyncio.ensure_future(anext(items))
    await asyncio.wait([waits], timeout=0.3)
    assert not waits.done()
    return waits


async def anext_of(waits: "asyncio.Future[T]") -> T:
    async with asyncio.timeout(SECONDS):
        return await waits


async def delete_queue(url: str, name: str) -> None:
    async with await aio_pika.connect(url) as connection:
        assert await (await connection.channel()).queue_delete(name)


async def answer_all(deliveries: AsyncIterator[Delivery], doorbells: set[Doorbell]) -> None:
    """Return once each doorbell was answered, however often some come."""
    missing = set(doorbells)
    while missing:
        delivery = await anext(deliveries)
        await delivery.acknowledge()
        missing.discard(delivery.doorbell)


async def ring_at_last(bus: RabbitBus, doorbell: Doorbell) -> None:
    """Ring once what is declared anew is bound again."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                return await bus.ring(doorbell)
            except Unavailable:
                continue


async def declared(url: str, name: str) -> None:
    """Return once a queue is there again."""
    async with asyncio.timeout(SECONDS), await aio_pika.connect(url) as connection:
        while True:
            try:
                await (await connection.channel()).get_queue(name)
            except ChannelNotFoundEntity:
                continue
            return
