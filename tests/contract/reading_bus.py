"""Ways to listen to a bus, and what is sent over it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, TypeVar

from schemas.events import CloudEvent, EventType
from schemas.parameters import Slot
from schemas.schema import new_id
from schemas.tasks import Doorbell
from storage.ports import Delivery
from tests.factories import NOON

T = TypeVar("T")

SECONDS: Final = 10.0
# How long a wrong bus gets to show what it should not deliver.
QUIET_SECONDS: Final = 0.1


def a_doorbell(slot: Slot = Slot.DATA) -> Doorbell:
    return Doorbell(new_id(), "sample", slot)


def an_event(event_type: EventType = EventType.TASK_QUEUED) -> CloudEvent:
    return CloudEvent(id=new_id(), source="https://ymir.example", type=event_type, subject=new_id(), time=NOON)


async def take(items: AsyncIterator[T], count: int) -> list[T]:
    async with asyncio.timeout(SECONDS):
        return [await anext(items) for _ in range(count)]


async def is_quiet(items: AsyncIterator[object]) -> bool:
    try:
        async with asyncio.timeout(QUIET_SECONDS):
            await anext(items)
    except TimeoutError:
        return True
    return False


async def answer(deliveries: AsyncIterator[Delivery], count: int) -> set[Doorbell]:
    taken = await take(deliveries, count)
    for delivery in taken:
        await delivery.acknowledge()
    return {delivery.doorbell for delivery in taken}
