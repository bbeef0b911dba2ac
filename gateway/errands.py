"""Errands: what is done beside a request and must neither delay nor fail it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import structlog
from aiohttp import web

from gateway.services import SERVICES, Services
from schemas.errors import YmirError
from schemas.task_states import TaskState
from schemas.tasks import Task

AT_MOST: Final = 10_000
# Whoever claims a task by then tells of it, with what happens next.
TELL_SECONDS: Final = 0.5
# While so many tasks come at once, those that nobody claims are told of by the sweep, many together.
TELL_OF: Final = 100
FINISH_SECONDS: Final = 3.0

log = structlog.get_logger(__name__)


class Errands:
    """Rings for tasks and tells of what happened to them; what is lost here is found by the sweep."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._running: set[asyncio.Task[None]] = set()

    def ring(self, task: Task) -> None:
        """Tell the workers of a task that may run, and everybody of what happened to it."""
        self._run(task, self._ring)

    def announce(self, task: Task) -> None:
        """Tell everybody of what happened to a task."""
        self._run(task, self._announce)

    async def finish(self) -> None:
        """Give the errands that are under way some seconds, and leave the others to the sweep."""
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=FINISH_SECONDS)
        for errand in late:
            errand.cancel()
        if late:
            log.warning("errands were left to the sweep", count=len(late))
            await asyncio.wait(late)

    def _run(self, task: Task, errand: Callable[[Task], Awaitable[None]]) -> None:
        if len(self._running) >= AT_MOST:
            log.warning("too many errands: left to the sweep", task=task.id)
            return
        running = asyncio.ensure_future(errand(task))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def _ring(self, task: Task) -> None:
        await self._bounded(task, self._services.bus.ring(task.doorbell()))
        if not task.parameters.ANNOUNCED:
            return
        await asyncio.sleep(TELL_SECONDS)
        if len(self._running) <= TELL_OF:
            await self._bounded(task, self._announce_if_queued(task))

    async def _announce(self, task: Task) -> None:
        await self._bounded(task, self._services.announce(task))

    async def _announce_if_queued(self, task: Task) -> None:
        for now in await self._services.database.documents(Task).get_many([task.id]):
            if now.state is TaskState.QUEUED:
                await self._services.announce(now)

    async def _bounded(self, task: Task, errand: Awaitable[object]) -> None:
        try:
            async with asyncio.timeout(self._services.settings.errand_seconds):
                await errand
        except (YmirError, TimeoutError) as error:
            log.warning("an errand was left to the sweep", task=task.id, error=str(error) or "it took too long")
        except Exception:
            log.exception("an errand failed", task=task.id)


ERRANDS: Final = web.AppKey("errands", Errands)


async def errands(app: web.Application) -> AsyncIterator[None]:
    """Let an application end only when its errands have."""
    app[ERRANDS] = Errands(app[SERVICES])
    yield
    await app[ERRANDS].finish()
