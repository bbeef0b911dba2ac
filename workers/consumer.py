"""The consumer: as many tasks at once as there are slots, and doorbells only while one is free."""

import asyncio
from asyncio import Semaphore, TaskGroup
from collections.abc import Mapping

import structlog

from schemas.errors import NotFound, Unavailable
from schemas.parameters import Slot
from storage.ports import Bus, Delivery
from workers.runner import Runner

RECONNECT_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Consumer:
    """Answers doorbells. Cancelled, it hands over what it runs."""

    def __init__(self, *, bus: Bus, runner: Runner, slots: Mapping[Slot, int], idle_seconds: float) -> None:
        self._bus = bus
        self._runner = runner
        self._slots = slots
        self._idle_seconds = idle_seconds

    async def run(self) -> None:
        """Serve every kind of slot until cancelled."""
        async with TaskGroup() as serving:
            for slot, count in self._slots.items():
                serving.create_task(self._serve(slot, Semaphore(count)), name=f"serve {slot}")

    async def _serve(self, slot: Slot, free: Semaphore) -> None:
        async with TaskGroup() as running:
            while True:
                await free.acquire()
                try:
                    await self._listen(slot, free, running)
                except Unavailable as error:
                    log.warning("the bus is away", slot=slot, error=error.detail)
                    await asyncio.sleep(RECONNECT_SECONDS)
                finally:
                    free.release()

    async def _listen(self, slot: Slot, free: Semaphore, running: TaskGroup) -> None:
        """Take doorbells while the one slot that the caller holds is free; it holds one again on return."""
        async with self._bus.doorbells(slot) as deliveries:
            async for delivery in deliveries:
                running.create_task(self._answer(delivery, free), name=delivery.doorbell.task)
                try:
                    async with asyncio.timeout(self._idle_seconds):
                        await free.acquire()
                except TimeoutError:
                    break  # leaving hands back what was prefetched
            else:
                return
        await free.acquire()

    async def _answer(self, delivery: Delivery, free: Semaphore) -> None:
        try:
            task = await self._runner.claim(delivery.doorbell.task)
            await delivery.acknowledge()
            if task is not None:
                await self._runner.run(task)
        except NotFound:
            log.warning("a doorbell for a task that does not exist", task=delivery.doorbell.task)
            await delivery.acknowledge()
        except Unavailable as error:
            log.warning("a doorbell is left to the sweep", task=delivery.doorbell.task, error=error.detail)
        except Exception:
            log.exception("a doorbell could not be answered", task=delivery.doorbell.task)
        finally:
            free.release()
