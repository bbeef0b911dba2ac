"""One of several processes that take the GPUs of a machine and give them back: it says who had what, and when."""

import asyncio
import logging
import os
import random
import sys
import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from schemas.errors import Conflict
from schemas.model_parameters import InferParameters, ModelStage
from schemas.tasks import Task
from storage.clock import utc_now
from storage.local_bus import LocalBus
from storage.mongo import open_database as open_mongo
from storage.ports import Database
from storage.process import log_to_stderr
from storage.sqlite import open_database
from tests.factories import a_task
from tests.workers.gpu_machine import GIB
from workers.executors.gpu_host import GpuHost
from workers.work import Busy


def opened(url: str) -> AbstractAsyncContextManager[Database]:
    return open_mongo(url) if url.startswith("mongodb:") else open_database(Path(url))


def asking(gpus: int, memory: int | None = None, **changes: object) -> Task:
    """Return a running task that asks for GPUs."""
    parameters = InferParameters(
        executor="fake",
        dataset="seen",
        source="pictures",
        model=ModelStage(id="0" * 32),
        gpus=gpus,
        gpu_memory_bytes=memory and memory * GIB,
    )
    return a_task(**{"parameters": parameters, "epoch": 1, "created_at": utc_now(), **changes})


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def race(url: str, times: int) -> None:
    chance = random.Random(os.getpid())
    async with opened(url) as database:
        gpus = GpuHost(database=database, bus=LocalBus(), clock=utc_now, name="host")
        for _ in range(times):
            task = asking(chance.choice([1, 1, 2]), chance.choice([None, None, 7]))
            while True:
                try:
                    devices = await gpus.take(task)
                except (Busy, Conflict):
                    await asyncio.sleep(chance.uniform(0, 0.005))
                else:
                    break
            since = time.monotonic()
            await asyncio.sleep(chance.uniform(0, 0.005))
            until = time.monotonic()
            await gpus.release(task)
            for device in devices:
                say(device, task.parameters.gpu_memory_bytes or 0, since, until)  # type: ignore[union-attr]  # it infers


async def hold(url: str) -> None:
    """Take a GPU for a task that is kept as running, and hold it until killed."""
    async with opened(url) as database:
        task = asking(1)
        await database.documents(Task).add(task)
        claimed = task.claimed(by="racer", at=utc_now())
        await database.documents(Task).replace(claimed, was=task)
        await GpuHost(database=database, bus=LocalBus(), clock=utc_now, name="host").take(claimed)
        say(claimed.id)
        await asyncio.sleep(1000)


if __name__ == "__main__":
    log_to_stderr(level=logging.WARNING)
    asyncio.run(hold(sys.argv[1]) if sys.argv[2] == "hold" else race(sys.argv[1], int(sys.argv[2])))
