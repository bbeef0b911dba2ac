"""Somebody between the bus and the workers who drops doorbells, doubles them, and hands them on out of order."""

import asyncio
from asyncio import Event
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Final

import aio_pika
from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from aiormq.abc import FieldTable

from schemas.parameters import Slot
from storage.rabbitmq_topology import Names
from tests.faults.waiting import is_set

PREFETCH = 8
PAUSE_SECONDS = 0.2
# It is given what comes before any worker is.
FIRST: Final[FieldTable] = {"x-priority": 10}
FATES = (("dropped", 0), ("doubled", 2), ("doubled", 2), ("reordered", 1), ("reordered", 1), ("reordered", 1))
BROKEN = (*CONNECTION_EXCEPTIONS, TimeoutError, asyncio.CancelledError)


class Meddler:
    """Takes doorbells as a worker does; ``done`` counts what became of them."""

    def __init__(self, url: str, bus: str) -> None:
        self.done: Counter[str] = Counter()
        self._url = url
        self._names = Names(bus)
        self._came: list[AbstractIncomingMessage] = []
        self._chance = Random(0)

    async def run(self, *, until_set: Event) -> None:
        """Meddle, over a new connection whenever the broker went away."""
        while not until_set.is_set():
            meddling = asyncio.create_task(self._meddle(until_set))
            await asyncio.wait({meddling})
            if not meddling.cancelled() and (error := meddling.exception()) and not isinstance(error, BROKEN):
                raise error
            await is_set(until_set, within=PAUSE_SECONDS)

    async def _meddle(self, until_set: Event) -> None:
        self._came.clear()  # over a lost connection it comes again
        connection = await aio_pika.connect(self._url, timeout=5)
        async with connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=PREFETCH)
            exchange = await channel.get_exchange(self._names.tasks, ensure=False)
            await self._consume(channel)
            while not await is_set(until_set, within=PAUSE_SECONDS):
                if channel.is_closed:
                    return
                came, self._came = self._came, []
                await self._hand_on(came, exchange)

    async def _consume(self, channel: AbstractChannel) -> None:
        async def take(message: AbstractIncomingMessage) -> None:
            self._came.append(message)

        for slot in (Slot.DATA, Slot.EXECUTOR, Slot.SERVICE):
            queue = await channel.get_queue(self._names.slot(slot), ensure=False)
            await queue.consume(take, arguments=FIRST)

    async def _hand_on(self, came: Sequence[AbstractIncomingMessage], exchange: AbstractExchange) -> None:
        for message in reversed(came):
            what, copies = self._chance.choice(FATES)
            for _ in range(copies):
                again = Message(message.body, content_type=message.content_type, delivery_mode=message.delivery_mode)
                await asyncio.wait_for(exchange.publish(again, message.routing_key or ""), 5)
            with suppress(*CONNECTION_EXCEPTIONS):
                await message.ack()
            self.done[what] += 1
