"""What is declared in RabbitMQ: exchanges, a queue for each kind of slot, and one for dead letters."""

from typing import Final, NamedTuple

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractQueue
from aiormq.abc import FieldTable

from schemas.parameters import Slot

# A doorbell may be handed back very often while all slots are taken; RabbitMQ 4 would call it dead after 20 times.
DELIVERIES: Final = 1_000_000
EVENTS_KEPT: Final = 10_000
# Events wait so long for a listener that lost its connection.
EXPIRES_MILLISECONDS: Final = 60_000


class Names(NamedTuple):
    """What the parts of one bus are called; two buses of one broker differ in ``prefix``."""

    prefix: str

    @property
    def tasks(self) -> str:
        """The exchange of doorbells."""
        return f"{self.prefix}.tasks"

    @property
    def events(self) -> str:
        """The exchange of events."""
        return f"{self.prefix}.events"

    @property
    def dead(self) -> str:
        """The exchange, and the queue, of dead letters."""
        return f"{self.prefix}.dead-letters"

    def slot(self, slot: Slot) -> str:
        """Return the queue of a kind of slot."""
        return f"{self.prefix}.tasks.{slot}"


async def tasks(channel: AbstractChannel, *, names: Names) -> AbstractExchange:
    """Declare what doorbells need: a quorum queue for each kind of slot, and the one for dead letters."""
    await dead_exchange(channel, names=names)
    exchange = await channel.declare_exchange(names.tasks, ExchangeType.TOPIC, durable=True)
    for slot in Slot:
        await _slot_queue(channel, names, slot)
    return exchange


async def slot_queue(channel: AbstractChannel, *, names: Names, slot: Slot) -> AbstractQueue:
    """Declare what doorbells need, and return the queue of a kind of slot."""
    await tasks(channel, names=names)
    return await _slot_queue(channel, names, slot)


async def _slot_queue(channel: AbstractChannel, names: Names, slot: Slot) -> AbstractQueue:
    """Declare the queue of a kind of slot; what it refuses reaches the dead letters at least once."""
    arguments: FieldTable = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERIES,
        "x-dead-letter-exchange": names.dead,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    queue = await channel.declare_queue(names.slot(slot), durable=True, arguments=arguments)
    await queue.bind(names.tasks, f"task.*.{slot}")
    return queue


async def events(channel: AbstractChannel, *, names: Names) -> AbstractExchange:
    """Declare the exchange of events."""
    return await channel.declare_exchange(names.events, ExchangeType.TOPIC, durable=True)


async def listener_queue(channel: AbstractChannel, *, names: Names, listener: str, pattern: str) -> AbstractQueue:
    """Declare a listener's queue of events; who is too slow loses the oldest, and finds them in the log."""
    await dead_exchange(channel, names=names)
    await events(channel, names=names)
    arguments: FieldTable = {
        "x-expires": EXPIRES_MILLISECONDS,
        "x-max-length": EVENTS_KEPT,
        "x-overflow": "drop-head",
    }
    queue = await channel.declare_queue(f"{names.events}.{listener}", durable=True, arguments=arguments)
    await queue.bind(names.events, pattern)
    return queue


async def dead_exchange(channel: AbstractChannel, *, names: Names) -> AbstractExchange:
    """Declare where foreign messages go, and the queue in which they wait for someone to keep them."""
    exchange = await channel.declare_exchange(names.dead, ExchangeType.FANOUT, durable=True)
    await _dead_queue(channel, names)
    return exchange


async def dead_queue(channel: AbstractChannel, *, names: Names) -> AbstractQueue:
    """Declare where foreign messages go, and return the queue in which they wait for someone to keep them."""
    await dead_exchange(channel, names=names)
    return await _dead_queue(channel, names)


async def _dead_queue(channel: AbstractChannel, names: Names) -> AbstractQueue:
    # What is delivered too often here would be gone.
    arguments: FieldTable = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERIES}
    queue = await channel.declare_queue(names.dead, durable=True, arguments=arguments)
    await queue.bind(names.dead)
    return queue
