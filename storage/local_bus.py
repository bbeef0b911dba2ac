"""A bus within one process: doorbells by slot, events by topic."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Self

import structlog

from schemas.errors import Invalid
from schemas.events import CloudEvent
from schemas.letters import ForeignMessage
from schemas.parameters import Slot
from schemas.tasks import Doorbell
from storage.lines import Line
from storage.ports import Delivery, LetterDelivery
from storage.topics import matches

MOST_EVENTS: Final = 10_000

log = structlog.get_logger(__name__)


class LocalBus:
    """Carries doorbells and events between coroutines of one event loop; what waits is lost with the process."""

    def __init__(self, *, most_events: int = MOST_EVENTS) -> None:
        """Keep up to ``most_events`` for each listener that is slower than what is announced."""
        self._most_events = most_events
        self._bells: defaultdict[Slot, _Bells] = defaultdict(_Bells)
        self._listeners: set[_Events] = set()

    async def check(self) -> None:
        """Do nothing: a process cannot lose itself."""

    async def ring(self, doorbell: Doorbell) -> None:
        """Tell the workers of a kind of slot that a task may be ready; what still waits is not told twice."""
        self._bells[doorbell.slot].ring(doorbell)

    async def waiting(self, slot: Slot) -> int:
        """Return how many doorbells wait for the workers of a kind of slot."""
        return len(self._bells[slot].line)

    @asynccontextmanager
    async def doorbells(self, slot: Slot) -> AsyncIterator[AsyncIterator[Delivery]]:
        """Listen for the tasks of a kind of slot; what is not acknowledged by the end comes again."""
        deliveries = _Deliveries(self._bells[slot])
        try:
            yield deliveries
        finally:
            deliveries.close()

    async def publish(self, events: Sequence[CloudEvent]) -> None:
        """Announce events to those who listen now."""
        for event in events:
            for listener in self._listeners:
                listener.offer(event)

    @asynccontextmanager
    async def events(self, pattern: str = "#") -> AsyncIterator[AsyncIterator[CloudEvent]]:
        """Listen for events from now on; who is too slow loses the oldest, and finds them in the log."""
        listener = _Events(pattern, most=self._most_events)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            listener.close()

    @asynccontextmanager
    async def dead_letters(self) -> AsyncIterator[AsyncIterator[LetterDelivery]]:
        """Listen for dead letters, of which there are none: only this process can send anything."""
        letters = _Letters()
        try:
            yield letters
        finally:
            letters.close()

    async def send_again(self, message: ForeignMessage) -> None:
        """Raise Invalid: no message came from anywhere else."""
        detail = f"There is no exchange {message.exchange!r}: this bus is within one process."
        raise Invalid(detail, step="send it again where RabbitMQ is the bus")


class _Bells:
    """The doorbells that wait in a kind of slot."""

    def __init__(self) -> None:
        self.line: Line[Doorbell] = Line()
        self.waiting: set[Doorbell] = set()

    def ring(self, doorbell: Doorbell) -> None:
        """Add a doorbell to the line unless it is in it."""
        if doorbell not in self.waiting:
            self.waiting.add(doorbell)
            self.line.put(doorbell)


class _Deliveries:
    """The doorbells that one listener takes."""

    def __init__(self, bells: _Bells) -> None:
        self._bells = bells
        self._open: set[_LocalDelivery] = set()
        self._is_closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delivery:
        doorbell = await self._bells.line.take(unless=lambda: self._is_closed)
        self._bells.waiting.discard(doorbell)
        delivery = _LocalDelivery(doorbell, self._open)
        self._open.add(delivery)
        return delivery

    def close(self) -> None:
        """End, and ring again for what was not acknowledged."""
        self._is_closed = True
        self._bells.line.wake()
        for delivery in self._open:
            self._bells.ring(delivery.doorbell)


class _LocalDelivery:
    """A doorbell that waits for its acknowledgement."""

    def __init__(self, doorbell: Doorbell, among: set["_LocalDelivery"]) -> None:
        self.doorbell = doorbell
        self._among = among

    async def acknowledge(self) -> None:
        """Say that the message did its work."""
        self._among.discard(self)


class _Events:
    """The events that one listener has still to take."""

    def __init__(self, pattern: str, *, most: int) -> None:
        self._pattern = pattern
        self._most = most
        self._line: Line[CloudEvent] = Line()
        self._lost = 0
        self._is_closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CloudEvent:
        return await self._line.take(unless=lambda: self._is_closed)

    def offer(self, event: CloudEvent) -> None:
        """Keep an event that the pattern means, in the place of the oldest when there are too many."""
        if not matches(self._pattern, event.type):
            return
        if len(self._line) >= self._most:
            self._line.drop_oldest()
            self._lost += 1
            if self._lost == 1:
                log.warning("a listener is too slow and loses events", pattern=self._pattern, kept=self._most)
        self._line.put(event)

    def close(self) -> None:
        """End; whoever waits for an event learns that none comes."""
        self._is_closed = True
        self._line.wake()


class _Letters:
    """The dead letters that one listener takes: none, until it ends."""

    def __init__(self) -> None:
        self._closed = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> LetterDelivery:
        await self._closed.wait()
        raise StopAsyncIteration

    def close(self) -> None:
        """End; whoever waits learns that nothing comes."""
        self._closed.set()
