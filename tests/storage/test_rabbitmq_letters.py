"""What strangers send over RabbitMQ: it becomes a dead letter, which says where it was sent, and ends no listener."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

import aio_pika
import pamqp.encode
import pytest
from pamqp.commands import Basic

from schemas.errors import Invalid
from schemas.letters import ForeignMessage
from schemas.parameters import Slot
from storage.rabbitmq import RabbitBus, open_bus
from storage.rabbitmq_letters import HEADERS_BYTES
from storage.rabbitmq_messages import bell_key, bell_message
from storage.rabbitmq_topology import Names
from tests.contract.reading_bus import a_doorbell, an_event, answer, is_quiet, take
from tests.servers.rabbitmq import delete_bus

pytestmark = pytest.mark.slow

KEY = f"task.sample.{Slot.DATA}"


def nested(depth: int) -> bytes:
    """Return a list in a list in a list … as it is written on the wire."""
    data = b""
    for _ in range(depth):
        data = b"A" + len(data).to_bytes(4) + data
    return data


class World(NamedTuple):
    """A bus, and a stranger's channel on the same broker."""

    bus: RabbitBus
    names: Names
    channel: aio_pika.abc.AbstractChannel

    async def send(self, body: bytes, *, to: str = "", key: str = KEY, **properties: Any) -> None:  # noqa: ANN401 - any property of AMQP
        underlying, told = await self.channel.get_underlay_channel(), Basic.Properties()
        for name, value in properties.items():
            setattr(told, name, value)
        await underlying.basic_publish(body, exchange=to or self.names.tasks, routing_key=key, properties=told)


class Raw(NamedTuple):
    """A value of a header as it is written on the wire, its type before it."""

    data: bytes


@pytest.fixture
async def world(amqp_url: str) -> AsyncIterator[World]:
    name = f"test-{uuid4().hex}"
    async with open_bus(amqp_url, name=name) as bus, await aio_pika.connect(amqp_url) as connection:
        await bus.check()
        yield World(bus, Names(name), await connection.channel())
    await delete_bus(amqp_url, name)


@pytest.mark.parametrize(
    "body", [b"not JSON", b'{"task": 7}', b"", b"\x00\xff" * 2_500_000, b"[" * 100_000], ids=lambda body: str(body[:9])
)
async def test_a_foreign_message_becomes_a_dead_letter_and_the_next_doorbell_is_answered(
    world: World, body: bytes
) -> None:
    doorbell = a_doorbell()
    await world.send(body, content_type="text/plain", headers={"from": "a stranger", "at": 7})

    async with world.bus.doorbells(Slot.DATA) as deliveries, world.bus.dead_letters() as letters:
        await world.bus.ring(doorbell)
        assert await answer(deliveries, 1) == {doorbell}
        [letter] = await take(letters, 1)

    assert letter.message == ForeignMessage(
        exchange=world.names.tasks,
        routing_key=KEY,
        body=body,
        content_type="text/plain",
        headers='{"at":7,"from":"a stranger"}',
        queue=world.names.slot(Slot.DATA),
        reason="rejected",
    )


@pytest.mark.parametrize(
    "properties",
    [
        {"headers": {"at": Raw(b"T\x7f\xff\xff\xff\xff\xff\xff\xff")}},
        {"headers": {"deep": Raw(nested(2_000))}},
        {"headers": {"at": datetime(2026, 1, 1, tzinfo=UTC), "bytes": Raw(b"S\x00\x00\x00\x01\xff")}},
        {"content_type": "te\udcffxt"},
    ],
    ids=["time", "deep", "bytes", "text"],
)
async def test_properties_that_the_driver_cannot_read_end_no_connection(
    world: World, properties: dict[str, Any]
) -> None:
    doorbell = a_doorbell()
    with raw_values():
        await world.send(b"?", key=f"task.\udcff.{Slot.DATA}", **properties)

    async with world.bus.doorbells(Slot.DATA) as deliveries, world.bus.dead_letters() as letters:
        await world.bus.ring(doorbell)
        assert await answer(deliveries, 1) == {doorbell}
        [letter] = await take(letters, 1)

    assert (letter.message.body, letter.message.routing_key) == (b"?", f"task.\ufffd.{Slot.DATA}")
    json.loads(letter.message.headers)


async def test_headers_are_kept_as_far_as_there_is_place_and_the_others_counted(world: World) -> None:
    await world.send(b"?", headers={"short": "kept", "long": "x" * HEADERS_BYTES, "x-death": "made up", "last": True})

    async with world.bus.doorbells(Slot.DATA) as deliveries, world.bus.dead_letters() as letters:
        await world.bus.ring(a_doorbell())
        await answer(deliveries, 1)
        [letter] = await take(letters, 1)

    assert (letter.message.headers, letter.message.headers_left_out) == ('{"last":true,"short":"kept"}', 1)


async def test_a_foreign_event_is_one_dead_letter_for_each_who_heard_it(world: World) -> None:
    event = an_event()
    async with world.bus.events("ymir.#") as events, world.bus.dead_letters() as letters:
        await world.send(b"{}", to=world.names.events, key="ymir.task.queued", headers={"traced": "here"})
        await world.bus.publish([event])

        assert await take(events, 1) == [event]
        [letter] = await take(letters, 1)

    message = letter.message
    assert (message.exchange, message.routing_key, message.body) == (world.names.events, "ymir.task.queued", b"{}")
    assert (message.headers, message.reason) == ('{"traced":"here"}', "no event")


async def test_a_dead_letter_that_was_not_acknowledged_comes_to_the_next_who_listens(world: World) -> None:
    await world.send(b"?")
    async with world.bus.doorbells(Slot.DATA) as deliveries, world.bus.dead_letters() as letters:
        await world.bus.ring(a_doorbell())
        await answer(deliveries, 1)
        [first] = await take(letters, 1)

    async with world.bus.dead_letters() as letters:
        [second] = await take(letters, 1)
        await second.acknowledge()
        await second.acknowledge()
        assert await is_quiet(letters)

    assert second.message == first.message


async def test_what_is_sent_again_goes_where_it_was_sent_first(world: World) -> None:
    doorbell = a_doorbell()
    headers = '{"of": [1, 1.5, null, {"a": "b"}]}'
    bell = ForeignMessage(world.names.tasks, bell_key(doorbell), bell_message(doorbell).body, headers=headers)
    direct = bell._replace(exchange="", routing_key=world.names.slot(Slot.DATA))

    async with world.bus.doorbells(Slot.DATA) as deliveries:
        await world.bus.send_again(bell)
        await world.bus.send_again(direct)

        assert await answer(deliveries, 2) == {doorbell}


async def test_what_is_sent_again_and_taken_by_no_queue_says_so(world: World) -> None:
    message = ForeignMessage(world.names.tasks, "nobody's", b"?")

    with pytest.raises(Invalid, match="No queue takes") as caught:
        await world.bus.send_again(message)
    with pytest.raises(Invalid, match="No queue takes"):
        await world.bus.send_again(message._replace(routing_key="\ufffd" * 255))

    assert "bound" in caught.value.step


@contextmanager
def raw_values() -> Iterator[None]:
    """Have the driver send values of headers, and texts, that it could not read itself."""
    encode = pamqp.encode.encode_table_value

    def encode_raw(value: Any) -> bytes:  # noqa: ANN401 - any value of a header
        return value.data if isinstance(value, Raw) else encode(value)

    def short_text(value: str) -> bytes:
        data = value.encode(errors="surrogateescape")
        return bytes([len(data)]) + data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pamqp.encode, "encode_table_value", encode_raw)
        patch.setitem(pamqp.encode.METHODS, "shortstr", short_text)
        yield
