"""A bus on RabbitMQ: a quorum queue of doorbells for each kind of slot, and a topic exchange of events."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final
from uuid import uuid4

from schemas.events import CloudEvent
from schemas.letters import ForeignMessage
from schemas.parameters import Slot
from schemas.tasks import Doorbell
from storage import rabbitmq_topology as topology
from storage.ports import Delivery, LetterDelivery
from storage.rabbitmq_letters import sent_again
from storage.rabbitmq_link import ANSWER_SECONDS, Link, broker_errors
from storage.rabbitmq_listeners import DeadLetters, Doorbells, Events
from storage.rabbitmq_messages import bell_key, bell_message, event_message
from storage.rabbitmq_publisher import Publisher, publish_to
from storage.rabbitmq_subscription import Subscription
from storage.rabbitmq_topology import Names

PREFETCH: Final = 16
EVENTS_PREFETCH: Final = 256
IDLE_SECONDS: Final = 0.1


@asynccontextmanager
async def open_bus(url: str, *, name: str = "ymir", prefetch: int = PREFETCH) -> AsyncIterator["RabbitBus"]:
    """Open the bus of a name on a broker, 3.10 or newer; it is connected to when it is first used.

    A listener to doorbells has up to ``prefetch`` of them on their way to it while it asks for more.
    """
    # Two connections: a broker that slows down publishers slows down all of their connection.
    sending, receiving = Link(url), Link(url)
    try:
        yield RabbitBus(sending, receiving, Names(name), prefetch=prefetch)
    finally:
        await sending.close()
        await receiving.close()


class RabbitBus:
    """Carries doorbells and events between processes; what is not acknowledged comes again."""

    def __init__(self, sending: Link, receiving: Link, names: Names, *, prefetch: int) -> None:
        self._sending = sending
        self._receiving = receiving
        self._names = names
        self._prefetch = prefetch
        self._bells = Publisher(sending, partial(topology.tasks, names=names))
        self._events = Publisher(sending, partial(topology.events, names=names))
        self._dead = Publisher(sending, partial(topology.dead_exchange, names=names))

    async def check(self) -> None:
        """Raise Unavailable unless the broker is connected to and has what doorbells need."""
        await self._bells.declared()

    async def ring(self, doorbell: Doorbell) -> None:
        """Tell the workers of a kind of slot that a task may be ready."""
        await self._bells.publish([(bell_key(doorbell), bell_message(doorbell))], mandatory=True)

    async def waiting(self, slot: Slot) -> int:
        """Return how many doorbells wait for the workers of a kind of slot, those on their way to a listener aside."""
        channel = await self._receiving.channel()
        with broker_errors():
            async with channel, asyncio.timeout(ANSWER_SECONDS):
                queue = await topology.slot_queue(channel, names=self._names, slot=slot)
                return queue.declaration_result.message_count or 0

    @asynccontextmanager
    async def doorbells(self, slot: Slot) -> AsyncIterator[AsyncIterator[Delivery]]:
        """Listen for the tasks of a kind of slot; it consumes only while the next is asked for, or was just now."""
        declare = partial(topology.slot_queue, names=self._names, slot=slot)
        subscription = Subscription(self._receiving, declare, prefetch=self._prefetch, idle_seconds=IDLE_SECONDS)
        try:
            yield Doorbells(subscription)
        finally:
            await subscription.close()

    async def publish(self, events: Sequence[CloudEvent]) -> None:
        """Announce events, each with its type as routing key; nobody need listen."""
        await self._events.publish([(event.type, event_message(event)) for event in events], mandatory=False)

    @asynccontextmanager
    async def events(self, pattern: str = "#") -> AsyncIterator[AsyncIterator[CloudEvent]]:
        """Listen for events from now on; who is too slow loses the oldest, and finds them in the log."""
        declare = partial(topology.listener_queue, names=self._names, listener=uuid4().hex, pattern=pattern)
        subscription = Subscription(self._receiving, declare, prefetch=EVENTS_PREFETCH, idle_seconds=None)
        try:
            await subscription.listen()
            yield Events(subscription, self._dead)
        finally:
            await subscription.close(delete=True)

    @asynccontextmanager
    async def dead_letters(self) -> AsyncIterator[AsyncIterator[LetterDelivery]]:
        """Take what could not be read, by whichever listener of this bus."""
        declare = partial(topology.dead_queue, names=self._names)
        # One at a time: a message may be as large as the broker lets it be.
        subscription = Subscription(self._receiving, declare, prefetch=1, idle_seconds=None)
        try:
            yield DeadLetters(subscription)
        finally:
            await subscription.close()

    async def send_again(self, message: ForeignMessage) -> None:
        """Send a foreign message to where it was sent first, with those of its headers that are kept."""
        await publish_to(self._sending, message.exchange, message.routing_key, sent_again(message))
