"""The messages of one queue of RabbitMQ, taken as they are asked for, over as many connections as that takes."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final
from uuid import uuid4

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from pamqp.commands import Basic

from schemas.errors import Invalid, Unavailable
from storage.rabbitmq_link import ANSWER_SECONDS, Link, broker_errors

AGAIN_SECONDS: Final = 0.5
MOST_AGAIN_SECONDS: Final = 10.0
# A queue that is deleted and declared again at once forgets its consumers, and RabbitMQ 3.10 does not tell them.
SILENT_SECONDS: Final = 60.0

log = structlog.get_logger(__name__)


class Subscription:
    """What one listener takes from a queue.

    ``idle_seconds`` after the last message was asked for, the consumer is cancelled and hands back what was
    prefetched, so that another listener has it; None: never.
    """

    def __init__(
        self,
        link: Link,
        declare: Callable[[AbstractChannel], Awaitable[AbstractQueue]],
        *,
        prefetch: int,
        idle_seconds: float | None,
    ) -> None:
        self._link = link
        self._declare = declare
        self._prefetch = prefetch
        self._idle_seconds = idle_seconds
        self._lock = asyncio.Lock()
        self._came: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
        self._channel: AbstractChannel | None = None
        self._queue: AbstractQueue | None = None
        self._tag: str | None = None
        self._is_wanted = False
        self._closed = asyncio.Event()
        self._idle: asyncio.TimerHandle | None = None
        self._handing_back: asyncio.Task[None] | None = None

    async def next(self) -> AbstractIncomingMessage:
        """Return the next message, however often the broker goes away; raise StopAsyncIteration after ``close``."""
        if self._idle is not None:
            self._idle.cancel()
        try:
            while not self._closed.is_set():
                await self._listen_at_last()
                if message := await self._arrival():
                    return message
            raise StopAsyncIteration
        finally:
            if self._idle_seconds is not None and not self._closed.is_set():
                self._idle = asyncio.get_running_loop().call_later(self._idle_seconds, self._start_handing_back)

    async def listen(self) -> None:
        """Start to consume, unless that is so; raise Unavailable."""
        async with self._lock:
            if self._channel is None or self._channel.is_closed:
                await self._open()
            if self._channel is not None and self._queue is None:
                with broker_errors():
                    async with asyncio.timeout(ANSWER_SECONDS):
                        self._queue = await self._declare(self._channel)
            if self._queue is not None and self._tag is None:
                await self._consume(self._queue)

    async def close(self, *, delete: bool = False) -> None:
        """End, and hand back what was not acknowledged; or ``delete`` the queue with all that is in it."""
        self._closed.set()
        self._came.put_nowait(None)
        if self._idle is not None:
            self._idle.cancel()
        await self._leave(delete=delete)

    async def _arrival(self) -> AbstractIncomingMessage | None:
        """Return what arrives; None to listen anew: something ended, or there was silence for long."""
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                return await self._came.get()
        except TimeoutError:
            await self._leave()
            return None

    async def _listen_at_last(self) -> None:
        pause = AGAIN_SECONDS
        while not self._closed.is_set():
            try:
                await self.listen()
            except (Invalid, Unavailable) as error:
                # Who is refused today may be let in tomorrow, and what was declared otherwise be deleted.
                log.warning("listening again soon", seconds=pause, error=error.detail, step=error.step)
            else:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), pause)
            pause = min(pause * 2, MOST_AGAIN_SECONDS)

    async def _open(self) -> None:
        # What came over a channel that was lost comes again.
        self._came, self._tag, self._queue = asyncio.Queue(), None, None
        self._channel = await self._link.channel()
        self._channel.close_callbacks.add(self._lost)
        with broker_errors():
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._channel.set_qos(prefetch_count=self._prefetch)
                underlying = await self._channel.get_underlay_channel()
        underlying.on_consumer_cancel_callbacks.add(self._cancelled)

    async def _leave(self, *, delete: bool = False) -> None:
        async with self._lock:
            if self._channel is not None and not self._channel.is_closed:
                # A broker that is gone has everything back.
                with suppress(*CONNECTION_EXCEPTIONS):
                    async with asyncio.timeout(ANSWER_SECONDS):
                        if delete and self._queue is not None:
                            if self._tag is not None:
                                await self._queue.cancel(self._tag)
                            await self._queue.delete(if_unused=False, if_empty=False)
                        await self._channel.close()

    async def _consume(self, queue: AbstractQueue) -> None:
        # Known before the broker knows it, which may take it back in the very next frame.
        self._tag, self._is_wanted = uuid4().hex, True
        try:
            with broker_errors():
                await queue.consume(self._arrived, consumer_tag=self._tag, timeout=ANSWER_SECONDS)
        except BaseException:
            self._tag = None
            raise

    def _cancelled(self, frame: Basic.Cancel) -> None:
        """Have the queue declared again: the broker ends its consumers when it is deleted, or has no leader."""
        if frame.consumer_tag == self._tag:
            log.warning("the broker ended a consumer", queue=self._queue and self._queue.name)
            self._tag = self._queue = None
            self._came.put_nowait(None)

    def _lost(self, _: object, __: BaseException | None) -> None:
        self._came.put_nowait(None)

    async def _arrived(self, message: AbstractIncomingMessage) -> None:
        if self._is_wanted:
            self._came.put_nowait(message)
        else:
            await message.reject(requeue=True)

    def _start_handing_back(self) -> None:
        self._handing_back = asyncio.create_task(self._hand_back())

    async def _hand_back(self) -> None:
        async with self._lock:
            if self._tag is None or self._queue is None or self._closed.is_set():
                return
            tag, self._tag, self._is_wanted = self._tag, None, False
            # A connection that was lost meanwhile hands back everything by itself.
            with suppress(*CONNECTION_EXCEPTIONS):
                await self._queue.cancel(tag, timeout=ANSWER_SECONDS)
                while not self._came.empty():
                    if message := self._came.get_nowait():
                        await message.reject(requeue=True)
