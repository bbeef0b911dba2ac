"""The consumer: as many tasks at once as there are slots, and doorbells only while one is free."""

import asyncio
from asyncio import Semaphore, TaskGroup

import structlog

from schemas.errors import Invalid, NotFound, Unavailable
from schemas.parameters import Slot
from schemas.schema import Id
from schemas.tasks import Task
from storage.ports import Bus, Delivery
from workers.runner import Runner
from workers.settings import WorkerSettings

AGAIN_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Consumer:
    """Answers doorbells. Cancelled, it hands over what it runs."""

    def __init__(self, *, bus: Bus, runner: Runner, settings: WorkerSettings) -> None:
        self._bus = bus
        self._runner = runner
        self._settings = settings
        self._answers: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve every kind of slot until cancelled; then hand over what runs, within the grace period."""
        try:
            async with TaskGroup() as serving:
                for slot, count in self._settings.slots.items():
                    serving.create_task(self._serve(slot, Semaphore(count)), name=f"serve {slot}")
        finally:
            await self._hand_over()

    async def _serve(self, slot: Slot, free: Semaphore) -> None:
        while True:
            async with free:
                pass  # nothing is asked for while no slot is free
            try:
                await self._listen(slot, free)
            except Unavailable as error:
                log.warning("the bus is away", slot=slot, error=error.detail)
                await asyncio.sleep(AGAIN_SECONDS)
            except Exception:
                log.exception("the bus failed", slot=slot)
                await asyncio.sleep(AGAIN_SECONDS)

    async def _listen(self, slot: Slot, free: Semaphore) -> None:
        """Take doorbells, each for a slot that is free; leaving after a while without one hands back the others."""
        async with self._bus.doorbells(slot) as deliveries:
            while await self._acquired(free):
                delivery = None
                try:
                    delivery = await anext(deliveries, None)
                finally:
                    if delivery is None:
                        free.release()
                if delivery is None:
                    return
                answer = asyncio.create_task(self._answer(delivery, free), name=delivery.doorbell.task)
                self._answers.add(answer)
                answer.add_done_callback(self._answers.discard)

    async def _acquired(self, free: Semaphore) -> bool:
        try:
            async with asyncio.timeout(self._settings.idle_seconds):
                return await free.acquire()
        except TimeoutError:
            return False

    async def _answer(self, delivery: Delivery, free: Semaphore) -> None:
        try:
            task = await self._claimed(delivery.doorbell.task)
            await self._acknowledge(delivery)
            if task is not None:
                await self._runner.run(task)
        except Exception:
            log.exception("a doorbell could not be answered", task=delivery.doorbell.task)
        finally:
            free.release()

    async def _claimed(self, task: Id) -> Task | None:
        while True:
            try:
                return await self._runner.claim(task)
            except NotFound:
                log.warning("a doorbell for a task that does not exist", task=task)
                return None
            except Invalid as error:
                # Of a newer release, whose workers ring for it again.
                log.warning("a doorbell for a task that cannot be read", task=task, error=error.detail)
                return None
            except Unavailable as error:
                log.warning("a claim waits for the store", task=task, error=error.detail)
                await asyncio.sleep(AGAIN_SECONDS)

    async def _acknowledge(self, delivery: Delivery) -> None:
        try:
            await delivery.acknowledge()
        except Unavailable as error:
            # It comes again, and finds the task claimed.
            log.warning("a doorbell was not acknowledged", task=delivery.doorbell.task, error=error.detail)

    async def _hand_over(self) -> None:
        self._runner.stop()
        if not self._answers:
            return
        _, late = await asyncio.wait(self._answers, timeout=self._settings.grace_seconds)
        for answer in late:
            log.warning("a task did not stop in time and is left to the sweep", task=answer.get_name())
            answer.cancel()
        if late:
            await asyncio.wait(late)
