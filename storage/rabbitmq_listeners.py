"""What listeners take from RabbitMQ, message by message: doorbells, events, and the letters that neither is."""

from contextlib import suppress
from typing import Self

import structlog
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from schemas.errors import Invalid, Unavailable
from schemas.events import CloudEvent
from schemas.letters import ForeignMessage
from schemas.tasks import Doorbell
from storage.ports import Delivery, LetterDelivery
from storage.rabbitmq_letters import read_letter, refused
from storage.rabbitmq_messages import read_bell, read_event
from storage.rabbitmq_publisher import Publisher
from storage.rabbitmq_subscription import Subscription

log = structlog.get_logger(__name__)


class Doorbells:
    """The doorbells that one listener takes; a message that is none becomes a dead letter."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delivery:
        while True:
            message = await self._subscription.next()
            try:
                return _RabbitDelivery(read_bell(message.body), message)
            except Invalid as error:
                log.warning("a dead letter", error=error.detail, key=message.routing_key)
                with suppress(*CONNECTION_EXCEPTIONS):
                    await message.reject()


class _RabbitDelivery:
    """A doorbell that waits for its acknowledgement."""

    def __init__(self, doorbell: Doorbell, message: AbstractIncomingMessage) -> None:
        self.doorbell = doorbell
        self._message = message

    async def acknowledge(self) -> None:
        """Say that the message did its work; over a connection that was lost, it comes again."""
        await _acknowledge(self._message)


class Events:
    """The events that one listener takes; a message that is none becomes a dead letter."""

    def __init__(self, subscription: Subscription, dead: Publisher) -> None:
        self._subscription = subscription
        self._dead = dead

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CloudEvent:
        while True:
            message = await self._subscription.next()
            try:
                event = read_event(message.body)
            except Invalid as error:
                # Not by rejecting it: the events that a slow listener loses would be dead letters too.
                log.warning("a dead letter", error=error.detail, key=message.routing_key)
                await self._refuse(message)
            else:
                await _acknowledge(message)
                return event

    async def _refuse(self, message: AbstractIncomingMessage) -> None:
        letter = refused(message, queue="a listener's", reason="no event")
        try:
            await self._dead.publish([(message.routing_key or "", letter)], mandatory=True)
        except Unavailable as error:
            # It comes again at once, and again takes as long as the broker needs to say that it takes nothing.
            log.warning("a dead letter has to wait", error=error.detail)
            with suppress(*CONNECTION_EXCEPTIONS):
                await message.reject(requeue=True)
        else:
            await _acknowledge(message)


class DeadLetters:
    """The dead letters that one listener takes."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> LetterDelivery:
        message = await self._subscription.next()
        return _RabbitLetter(read_letter(message), message)


class _RabbitLetter:
    """A dead letter that waits for its acknowledgement."""

    def __init__(self, letter: ForeignMessage, message: AbstractIncomingMessage) -> None:
        self.message = letter
        self._message = message

    async def acknowledge(self) -> None:
        """Say that the message is kept elsewhere; over a connection that was lost, it comes again."""
        await _acknowledge(self._message)


async def _acknowledge(message: AbstractIncomingMessage) -> None:
    if not message.processed:
        with suppress(*CONNECTION_EXCEPTIONS):
            await message.ack()
