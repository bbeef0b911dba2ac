"""What breaks while the load runs."""

import asyncio
import signal
from asyncio import Event
from collections.abc import AsyncIterator
from functools import partial
from random import Random

from schemas.errors import YmirError
from schemas.task_states import TaskState
from schemas.tasks import EPOCHS_OUTLIVED, Task
from storage.ports import Query
from storage.production import Stores
from tests.faults.deployment import Deployment, Worker
from tests.faults.invariants import all_of
from tests.faults.servers import Server
from tests.faults.waiting import is_set, until

KILL_SECONDS = 2.0
ASK_SECONDS = 1.0
TAKEN_SECONDS = 60.0
SPARED = EPOCHS_OUTLIVED - 2


class Havoc:
    """Breaks a deployment, and counts how often."""

    def __init__(self, deployment: Deployment, stores: Stores) -> None:
        self.kills = 0
        self._deployment = deployment
        self._stores = stores
        self._paused: Worker | None = None
        self._chance = Random(0)
        self._outlived: dict[str, int] = {}

    async def kill_workers(self, *, until_set: Event) -> None:
        """Kill a worker every two seconds, and start it again."""
        while not await is_set(until_set, within=KILL_SECONDS):
            victim = await self._victim()
            if victim is not None:
                await victim.program.kill()
                self.kills += 1
                await victim.start()

    async def pause_worker(self) -> None:
        """Pause a worker until its task is another's, and wake it up."""
        while True:
            task = await until(self._running, seconds=TAKEN_SECONDS)
            self._paused = self._deployment.owner(task.owner)
            self._paused.program.signal(signal.SIGSTOP)
            later = await until(partial(self._no_longer, task), seconds=TAKEN_SECONDS)
            self._paused.program.signal(signal.SIGCONT)
            self._paused = None
            if later.epoch > task.epoch:
                return  # else it had just ended

    async def restart(self, server: Server, *, away_seconds: float) -> None:
        """Kill a server, and start it again after a while."""
        await server.kill()
        await asyncio.sleep(away_seconds)
        await server.start()

    async def cut_off_blobs(self, *, seconds: float) -> None:
        """Cut the cable to the S3 server for a while."""
        await self._deployment.cable.cut()
        await asyncio.sleep(seconds)
        await self._deployment.cable.mend()

    async def _victim(self) -> Worker | None:
        """Return a worker whose death no task would take amiss: after five, it fails as it should."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                running = [task async for task in self._all_running()]
                self._outlived = {task.owner: task.outlived for task in running if task.owner}
        except (YmirError, TimeoutError):
            pass  # what was known before still holds
        workers = [
            worker
            for worker in self._deployment.workers
            if worker is not self._paused and self._outlived.get(worker.name, 0) < SPARED
        ]
        return self._chance.choice(workers) if workers else None

    async def _running(self) -> Task | None:
        names = {worker.name for worker in self._deployment.workers}
        async for task in self._all_running():
            if task.owner in names and task.outcome is None and task.outlived == 0:
                return task
        return None

    async def _no_longer(self, task: Task) -> Task | None:
        """Return what a task came to, unless it still is as it was."""
        try:
            current = await self._stores.database.documents(Task).get(task.id)
        except YmirError:
            return None
        return current if current.epoch > task.epoch or current.is_final else None

    def _all_running(self) -> AsyncIterator[Task]:
        return all_of(self._stores, Task, Query(equal={"state": TaskState.RUNNING}))
