"""The reaper: ends containers that outlived their attempt, whoever started them and however that one died."""

import asyncio

import structlog

from schemas.errors import YmirError
from schemas.task_states import TaskState
from schemas.tasks import Task
from storage.ports import Documents
from workers.executors.engine import Engine
from workers.executors.removing import Labelled, labelled, remove

log = structlog.get_logger(__name__)


class Reaper:
    """Watches over the containers of one deployment on one engine; every worker of its host does."""

    def __init__(self, engine: Engine, *, deployment: str, tasks: Documents[Task], seconds: float) -> None:
        self._engine = engine
        self._deployment = deployment
        self._tasks = tasks
        self._seconds = seconds

    async def run(self) -> None:
        """Look at once, and then again and again until cancelled."""
        while True:
            try:
                await self.reap()
            except YmirError as error:
                log.warning("the reaper waits", error=error.detail)
            except Exception:
                log.exception("the reaper failed")
            await asyncio.sleep(self._seconds)

    async def reap(self) -> int:
        """Remove each container whose attempt is not the current one of a running task; return how many there were.

        Raises Unavailable: what is not known to be over is left alone.
        """
        # The tasks are read afterwards: a container that is there was made after its attempt was claimed.
        containers = await labelled(self._engine, self._deployment)
        tasks = await self._tasks.get_many(sorted({one.task for one in containers})) if containers else []
        epochs = {task.id: task.epoch for task in tasks if task.state is TaskState.RUNNING}
        orphans = [one for one in containers if epochs.get(one.task) != one.epoch]
        for orphan in orphans:
            _tell(orphan)
        await remove(self._engine, orphans)
        return len(orphans)


def _tell(orphan: Labelled) -> None:
    log.warning("a container outlived its attempt and is removed", task=orphan.task, epoch=orphan.epoch)
