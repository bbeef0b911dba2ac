"""What only RabbitMQ does: it goes away, comes back, and carries what strangers send."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aio_pika
import pytest
from pamqp.header import ContentHeader

from schemas.errors import Invalid, Unavailable
from schemas.parameters import Slot
from storage.rabbitmq import open_bus
from storage.rabbitmq_messages import event_message, read_bell, read_event
from storage.rabbitmq_topology import Names
from tests.contract.reading_bus import a_doorbell, an_event, answer, take
from tests.servers import rabbitmq
from tests.servers.found import RABBITMQ, required
from tests.servers.process import ServerProcess, free_port

Server = tuple[ServerProcess, str]
SECONDS = 60


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    required(RABBITMQ.name, install=RABBITMQ.install, found=rabbitmq.program() is not None)
    with rabbitmq.running(tmp_path / "rabbitmq") as (process, settings):
        yield process, settings[RABBITMQ.setting]


def test_an_event_bears_its_attributes_as_headers() -> None:
    event = an_event()

    message = event_message(event)

    assert message.content_type == "application/cloudevents+json"
    assert message.headers["cloudEvents_type"] == event.type
    assert read_event(message.body) == event


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"{}", b'{"task_id": 7}', b'{"task_id": "../x"}', b"{" * 10_000])
def test_what_is_no_doorbell_and_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid, match="no doorbell"):
        read_bell(body)
    with pytest.raises(Invalid, match="no event"):
        read_event(body)


@pytest.mark.parametrize(("flags", "mode"), [(b"\x10\x00", b"\x07"), (b"\xff", b"")])
def test_properties_of_which_no_message_can_be_made_are_left_out(flags: bytes, mode: bytes) -> None:
    header = ContentHeader()

    header.unmarshal(b"\x00\x3c\x00\x00" + (5).to_bytes(8) + flags + mode)

    assert (header.body_size, header.properties.delivery_mode) == (5, None)


async def test_a_broker_that_is_away_is_unavailable_within_seconds() -> None:
    async with open_bus(f"amqp://guest:guest@127.0.0.1:{free_port()}/") as bus, asyncio.timeout(10):
        with pytest.raises(Unavailable, match="RabbitMQ does not answer"):
            await bus.ring(a_doorbell())
        with pytest.raises(Unavailable):
            await bus.publish([an_event()])


@pytest.mark.slow
async def test_foreign_messages_become_dead_letters_and_hold_up_nobody(amqp_url: str) -> None:
    name, doorbell, event = "foreign", a_doorbell(), an_event()
    async with open_bus(amqp_url, name=name) as bus, bus.events() as events, bus.doorbells(Slot.DATA) as deliveries:
        await bus.ring(a_doorbell(Slot.GPU))
        await send(amqp_url, Names(name).tasks, f"task.sample.{Slot.DATA}", b"not JSON")
        await send(amqp_url, Names(name).events, "ymir.task.queued", b"{}")

        await bus.ring(doorbell)
        await bus.publish([event])

        assert await answer(deliveries, 1) == {doorbell}
        assert await take(events, 1) == [event]
        assert await dead_letters(amqp_url, name, 2) == {b"not JSON", b"{}"}
    await rabbitmq.delete_bus(amqp_url, name)


@pytest.mark.slow
async def test_wrong_credentials_are_refused_with_the_next_step(amqp_url: str) -> None:
    async with open_bus(amqp_url.replace("guest:guest", "guest:wrong")) as bus:
        with pytest.raises(Invalid, match="refuses us") as caught:
            await bus.ring(a_doorbell())

    assert "YMIR_AMQP_URL" in caught.value.step


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_listeners_go_on_after_the_broker_was_killed(server: Server) -> None:
    process, url = server
    kept, late, event = a_doorbell(), a_doorbell(), an_event()
    async with open_bus(url) as bus, bus.doorbells(Slot.DATA) as deliveries, bus.events() as events:
        await bus.ring(kept)
        waits = asyncio.ensure_future(take(events, 1))

        await asyncio.to_thread(process.kill)
        with pytest.raises(Unavailable):
            await bus.ring(late)
        await asyncio.to_thread(process.start)
        async with asyncio.timeout(SECONDS):
            await ring_at_last(bus.ring, late)
            found = {(await anext(deliveries)).doorbell for _ in range(2)}
            waits.cancel()
            await asyncio.gather(waits, return_exceptions=True)
            heard = asyncio.ensure_future(anext(events))
            while not heard.done():
                await bus.publish([event])
                await asyncio.wait([heard], timeout=1)

    assert found == {kept, late}
    assert await heard == event


async def ring_at_last(ring: object, doorbell: object) -> None:
    while True:
        try:
            return await ring(doorbell)  # type: ignore[operator,no-any-return]  # the bus's own method
        except Unavailable:
            continue


async def send(url: str, exchange: str, key: str, body: bytes) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await (await channel.get_exchange(exchange)).publish(aio_pika.Message(body), key)


async def dead_letters(url: str, name: str, count: int) -> set[bytes]:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(Names(name).dead)
        async with asyncio.timeout(10), queue.iterator() as letters:
            return {(await anext(letters)).body for _ in range(count)}
