"""Publishing to one exchange of RabbitMQ: every message is confirmed, over one channel."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractExchange
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ChannelNotFoundEntity, PublishError

from schemas.errors import Invalid, Unavailable
from storage.rabbitmq_link import ANSWER_SECONDS, Link, broker_errors


class Publisher:
    """What sends to one exchange; the exchange and its queues are declared when it is first needed."""

    def __init__(self, link: Link, declare: Callable[[AbstractChannel], Awaitable[AbstractExchange]]) -> None:
        self._link = link
        self._declare = declare
        self._lock = asyncio.Lock()
        self._channel: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None

    async def publish(self, messages: Iterable[tuple[str, Message]], *, mandatory: bool) -> None:
        """Send messages, each with its routing key, and return when the broker has them all.

        Raise Unavailable if it has not within some seconds, or (``mandatory``) has no queue for one of them.
        """
        exchange = await self.declared()
        try:
            with broker_errors():
                async with asyncio.timeout(ANSWER_SECONDS):
                    sent = (exchange.publish(message, key, mandatory=mandatory) for key, message in messages)
                    await asyncio.gather(*sent)
        except Unavailable:
            # Everything is declared again: a queue may have been deleted.
            if self._exchange is exchange:
                self._exchange = None
            raise

    async def declared(self) -> AbstractExchange:
        """Return the exchange, declared unless it was before over a channel that still stands; raise Unavailable."""
        async with self._lock:
            if self._channel is None or self._channel.is_closed:
                self._channel, self._exchange = await self._link.channel(on_return_raises=True), None
            if self._exchange is None:
                with broker_errors():
                    async with asyncio.timeout(ANSWER_SECONDS):
                        self._exchange = await self._declare(self._channel)
            return self._exchange


async def publish_to(link: Link, exchange: str, key: str, message: Message) -> None:
    """Send a message to an exchange by its name, over a channel of its own, and return when the broker has it.

    Raise Unavailable, or Invalid if there is no such exchange, or it has no queue for the message.
    """
    channel = await link.channel(on_return_raises=True)
    try:
        with broker_errors(), _no_way(exchange, key):
            async with asyncio.timeout(ANSWER_SECONDS):
                target = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
                await target.publish(message, key, mandatory=True)
    finally:
        # A broker that is gone has closed it.
        with suppress(*CONNECTION_EXCEPTIONS, TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await channel.close()


@contextmanager
def _no_way(exchange: str, key: str) -> Iterator[None]:
    try:
        yield
    except (ChannelNotFoundEntity, PublishError, TypeError, ValueError) as error:
        detail = f"No queue takes what is sent to the exchange {exchange!r} with the routing key {key!r}."
        raise Invalid(detail, step="see whether the exchange is still there, and what is bound to it") from error
