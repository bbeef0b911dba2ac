"""What is the local bus's own: what it forgets, and that it says so."""

import asyncio

from structlog.testing import capture_logs

from schemas.events import CloudEvent, EventType
from schemas.parameters import Slot
from schemas.schema import new_id
from schemas.tasks import Doorbell
from storage.local_bus import LocalBus
from tests.factories import NOON


def an_event() -> CloudEvent:
    return CloudEvent(id=new_id(), source="https://ymir.example", type=EventType.TASK_QUEUED, subject="s", time=NOON)


async def test_a_listener_that_is_too_slow_loses_the_oldest_and_it_is_logged_once() -> None:
    bus, given = LocalBus(most_events=5), [an_event() for _ in range(12)]
    async with bus.events("ymir.task.*") as events:
        with capture_logs() as logs:
            await bus.publish(given)

        heard = [await anext(events) for _ in range(5)]

    assert heard == given[7:]
    assert [entry["log_level"] for entry in logs] == ["warning"]


async def test_a_doorbell_that_still_waits_is_not_told_twice() -> None:
    bus, doorbell = LocalBus(), Doorbell(new_id(), "sample", Slot.DATA)
    for _ in range(1_000):
        await bus.ring(doorbell)

    async with bus.doorbells(Slot.DATA) as deliveries:
        await (await anext(deliveries)).acknowledge()
        waits = asyncio.ensure_future(anext(deliveries, None))
        await asyncio.sleep(0)

    assert await waits is None


async def test_whoever_waits_when_listening_ends_learns_that_nothing_comes() -> None:
    bus = LocalBus()
    async with bus.doorbells(Slot.DATA) as deliveries, bus.events() as events:
        waits = [asyncio.ensure_future(anext(deliveries, None)), asyncio.ensure_future(anext(events, None))]
        await asyncio.sleep(0)

    async with asyncio.timeout(10):
        assert await asyncio.gather(*waits) == [None, None]


async def test_a_bus_remembers_no_listener_that_has_gone() -> None:
    bus = LocalBus()
    for _ in range(10):
        async with bus.events():
            pass

    assert not bus._listeners
