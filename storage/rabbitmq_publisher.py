"""Publishing to one exchange of RabbitMQ: every message is confirmed, over one channel."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractExchange

from schemas.errors import Unavailable
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
        exchange = await self._declared()
        try:
            with broker_errors():
                async with asyncio.timeout(ANSWER_SECONDS):
                    sent = (exchange.publish(message, key, mandatory=mandatory) for key, message in messages)
                    await asyncio.gather(*sent)
        except Unavailable:
            # Over a new channel, with everything declared again: a queue may have been deleted.
            if self._exchange is exchange:
                self._exchange = None
            raise

    async def _declared(self) -> AbstractExchange:
        async with self._lock:
            if self._exchange is None or self._channel is None or self._channel.is_closed:
                self._channel = await self._link.channel(on_return_raises=True)
                with broker_errors():
                    async with asyncio.timeout(ANSWER_SECONDS):
                        self._exchange = await self._declare(self._channel)
            return self._exchange
