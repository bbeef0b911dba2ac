"""Tasks on the production profile: one gateway and one worker on RabbitMQ, MongoDB and an S3 server."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from pymongo import MongoClient

from schemas.events import EventType
from schemas.exchange_parameters import ImportParameters
from schemas.projects import Project, ProjectSubmission
from schemas.tasks import Task
from tests.bench import pictures
from tests.bench.measuring import peak_mb
from tests.bench.posting import Posted, post_all
from tests.bench.production import NO_OP, WORKER, Deployment, deployed
from tests.bench.row import Measured, Size
from tests.bench.serving import running
from tests.servers.found import MONGO

PROJECT: Final = "bench"
FEW: Final = 20
IN_FLIGHT: Final = 64
WARM: Final = 200
RUNS: Final = 3
WAIT_SECONDS: Final = 120.0
LOOK_SECONDS: Final = 0.02
SETTLE_SECONDS: Final = 5.0
IDLE_SECONDS: Final = 20.0
EVENTS: Final = 3
"""At least so many are there of each task: queued, started, succeeded."""


async def idle(folder: Path, _: Size) -> Measured:
    """Look at the processor time of a gateway and a worker that have nothing to do; the busier one counts."""
    async with prepared(folder) as deployment:
        await deployment.start(WORKER, "worker")
        await asyncio.sleep(SETTLE_SECONDS)
        before = deployment.used()
        await asyncio.sleep(IDLE_SECONDS)
        used = {name: 100 * (after - before[name]) / IDLE_SECONDS for name, after in deployment.used().items()}
    told = "% of one core: " + ", ".join(f"{name} {share:.1f}" for name, share in used.items())
    return Measured(runs=[max(used["gateway"], used["worker"])], peak_mb=0.0, told=told)


async def again(folder: Path, size: Size) -> Measured:
    """Kill a worker that imports, with another one beside it; count from the kill until the task runs again."""
    async with prepared(folder) as deployment, deployment.client() as client:
        root = folder / "many"
        await pictures.small_voc(root, size)
        await deployment.start(WORKER, "doomed")
        task = await client.submit(PROJECT, _import_of(root, "many"))
        claimed = await running(client, task, since=0)
        await deployment.start(WORKER, "other")
        await asyncio.sleep(SETTLE_SECONDS)
        start = time.time()
        await deployment.end("doomed", signal.SIGKILL)
        await running(client, task, since=claimed.epoch)
        return Measured(runs=[time.time() - start], peak_mb=0.0, told="a worker that lived had to see no beat for 30 s")


async def nothing(folder: Path, size: Size) -> Measured:
    """Post tasks whose handler does nothing, and wait until the event of the last one's success is in the log."""
    async with prepared(folder) as deployment:
        await deployment.start(NO_OP, "worker")
        return await _through(deployment, size.accepted)


async def smallest(folder: Path, size: Size) -> Measured:
    """Do the same with the handler that makes a version of one image."""
    async with prepared(folder) as deployment:
        await deployment.start(WORKER, "worker")
        return await _through(deployment, size.accepted // 4)


async def starts(folder: Path, size: Size) -> Measured:
    """Post at 100/s, and compare when each request was due with when its task was claimed."""
    async with prepared(folder) as deployment:
        await deployment.start(NO_OP, "worker")
        log = _Log(deployment)
        await _posted(deployment, log, WARM, rate=100.0)
        posted = await _posted(deployment, log, size.posts // 2, rate=100.0)
        waits = [1_000 * (log.started_at(one) - one.due) for one in posted]
    half, most = (float(value) for value in np.percentile(waits, [50, 99]))
    return Measured(runs=[half], peak_mb=0.0, told=f"p99 {most:.1f} ms, from the due time of the request to the claim")


async def posts(folder: Path, size: Size) -> Measured:
    """Post at 200/s while a worker runs the tasks, and look how long the answers take."""
    async with prepared(folder) as deployment:
        await deployment.start(NO_OP, "worker")
        log = _Log(deployment)
        await _posted(deployment, log, WARM, rate=200.0)
        posted = await _posted(deployment, log, size.posts, rate=200.0)
    late = [1_000 * (one.answered - one.due) for one in posted]
    half, most, worst = (float(value) for value in np.percentile(late, [50, 99, 100]))
    return Measured(
        runs=[most], peak_mb=0.0, told=f"p50 {half:.1f} ms, worst {worst:.0f} ms; a worker ran them meanwhile"
    )


class _Log:
    """The event log and the tasks as they lie in MongoDB, read behind the backs of all adapters."""

    def __init__(self, deployment: Deployment) -> None:
        client: MongoClient[dict[str, Any]] = MongoClient(deployment.settings[MONGO.setting])
        database = client.get_default_database()
        self._events, self._tasks = database["event"], database["task"]

    def last(self) -> int:
        """Return the last position."""
        found = self._events.find_one({}, {"_id": 1}, sort=[("_id", -1)])
        return int(found["_id"]) if found else 0

    def succeeded(self, *, until: int) -> int:
        """Return how many tasks had succeeded by a position."""
        wanted = {"@event/type": EventType.TASK_SUCCEEDED.value, "_id": {"$lte": f"{until:016}"}}
        return self._events.count_documents(wanted)

    async def until(self, count: int, *, after: int) -> None:
        """Wait until so many tasks more have succeeded, counting only when enough events have come for that."""
        before = self.succeeded(until=after)
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                last = self.last()
                if last >= after + EVENTS * count and self.succeeded(until=last) >= before + count:
                    return
                await asyncio.sleep(LOOK_SECONDS)

    def wrong(self) -> str:
        """Return what is wrong with the log: a gap, a task without one of its events, or with one twice."""
        positions = sorted(int(found["_id"]) for found in self._events.find({}, {"_id": 1}))
        if positions != list(range(1, len(positions) + 1)):
            return "the log has gaps"
        kinds = (EventType.TASK_QUEUED, EventType.TASK_STARTED, EventType.TASK_SUCCEEDED)
        counts = {self._events.count_documents({"@event/type": kind.value}) for kind in kinds}
        tasks = self._tasks.count_documents({})
        return "" if counts == {tasks} else f"{tasks} tasks have {counts} events of each kind"

    def started_at(self, posted: Posted) -> float:
        """Return when the task of an answer was claimed, as ``time.time`` tells it."""
        found = self._tasks.find_one({"_id": orjson.loads(posted.body)["id"]})
        task = Task.model_validate_json(found["body"]) if found else None
        if task is None or task.started_at is None:
            raise RuntimeError("a task that was accepted has not started")
        return task.started_at.timestamp()


async def _through(deployment: Deployment, count: int) -> Measured:
    log = _Log(deployment)
    await _posted(deployment, log, WARM)
    rates, tables = [], []
    for _ in range(RUNS):
        used, own, start = deployment.used(), time.process_time(), time.time()
        await _posted(deployment, log, count)
        rates.append(count / (time.time() - start))
        spent = {name: seconds - used[name] for name, seconds in deployment.used().items()}
        tables.append(_table({**spent, "this one": time.process_time() - own}, count))
    peak = sum(peak_mb(pid=process.pid) for process in deployment.processes.values())
    await asyncio.sleep(1.0)
    return Measured(runs=rates, peak_mb=peak, told=" | ".join(tables), wrong=log.wrong())


async def _posted(deployment: Deployment, log: _Log, count: int, *, rate: float | None = None) -> list[Posted]:
    """Post so many tasks and wait for their ends."""
    before = log.last()
    url = f"{deployment.url}/v1/projects/{PROJECT}/tasks"
    bodies = [orjson.dumps(a_sample(number)) for number in range(count)]
    posted = await post_all(url, deployment.key, bodies, connections=IN_FLIGHT, rate=rate)
    await log.until(count, after=before)
    return posted


def _table(spent: Mapping[str, float], count: int) -> str:
    told = ", ".join(f"{name} {1_000 * seconds / count:.2f}" for name, seconds in spent.items())
    total = 1_000 * sum(spent.values()) / count
    return f"core-ms a task: {told}; in all {total:.2f}, load {os.getloadavg()[0]:.1f}"


def a_sample(number: int) -> dict[str, object]:
    return {"type": "sample", "dataset": f"few-{number % 100}", "source": "pictures", "count": 1, "seed": number}


@asynccontextmanager
async def prepared(folder: Path) -> AsyncIterator[Deployment]:
    """Run a deployment without a worker that has a project with a small version."""
    async with deployed(folder) as deployment, deployment.client() as client:
        root = folder / f"few-{deployment.settings['YMIR_BUS']}"
        await pictures.small_voc(root, Size(images=0, small=FEW, photographs=0, coco=0, tasks=0, posts=0, accepted=0))
        await deployment.start(WORKER, "first")
        await client.post(Project, "/v1/projects", ProjectSubmission(name=PROJECT))
        await client.ended(await client.submit(PROJECT, _import_of(root, "pictures")))
        await deployment.end("first")
        yield deployment


def _import_of(root: Path, dataset: str) -> ImportParameters:
    asked = {"dataset": dataset, "source": {"path": str(root)}, "unknown_classes": "add"}
    return ImportParameters.model_validate(asked)
