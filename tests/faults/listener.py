"""A listener from before the start: every event waits for it in a queue that outlives the broker."""

from typing import NamedTuple

import aio_pika

from schemas.events import CloudEvent
from storage import rabbitmq_topology as topology
from storage.rabbitmq_messages import read_event
from storage.rabbitmq_topology import Names


class Listener(NamedTuple):
    """A queue of its own, bound to all events."""

    url: str
    names: Names

    @property
    def queue(self) -> str:
        """The name of the queue."""
        return f"{self.names.prefix}.heard"

    async def begin(self) -> None:
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            exchange = await topology.events(channel, names=self.names)
            queue = await channel.declare_queue(self.queue, durable=True, arguments={"x-queue-type": "quorum"})
            await queue.bind(exchange, "#")

    async def end(self) -> list[CloudEvent]:
        """Return every message that came, and forget the queue."""
        heard: list[CloudEvent] = []
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            queue = await channel.get_queue(self.queue)
            while message := await queue.get(no_ack=True, fail=False):
                heard.append(read_event(message.body))
            await queue.delete(if_unused=False, if_empty=False)
        return heard
