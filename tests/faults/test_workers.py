"""Workers that are paused, told to stop, or dead: their tasks go on elsewhere, and they write nothing."""

import asyncio
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from schemas.task_states import TaskState
from schemas.tasks import Task
from tests.faults import gated
from tests.faults.deployment import Deployment, Worker, deployed
from tests.faults.invariants import check_records, is_quiet
from tests.faults.patient import Patient
from tests.faults.servers import Servers
from tests.faults.sizes import IS_FULL
from tests.faults.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HANDED_OVER_SECONDS = 10.0
DEAD_SECONDS = 45.0
DEFAULTS = {"YMIR_BEAT_SECONDS": "5", "YMIR_ORPHAN_SECONDS": "30", "YMIR_SWEEP_SECONDS": "2"}
WRITES = ("insert", "update", "remove")


async def test_a_worker_that_wakes_up_when_its_task_is_anothers_writes_nothing(
    servers: Servers, tmp_path: Path
) -> None:
    gate = gated.built(tmp_path)
    executors = {"YMIR_PROCESS_EXECUTORS": str(gate.executor)}
    async with (
        deployed(servers, tmp_path, workers=2, **executors) as deployment,
        deployment.client() as client,
        deployment.stores() as stores,
    ):
        await gated.stocked(client, tmp_path)
        task = await started(client, gate)
        sleeper = deployment.owner(task.owner)

        sleeper.program.signal(signal.SIGSTOP)
        await gate.reached(times=2)
        gate.open()
        await client.ended(task)
        await until(partial(is_quiet, stores), seconds=gated.SECONDS)
        before = await asyncio.to_thread(writes, deployment)
        sleeper.program.signal(signal.SIGCONT)
        await until(lambda: has_said(sleeper, "task was lost to another worker"), seconds=gated.SECONDS)
        await until(sleeper.is_ready, seconds=gated.SECONDS)

        assert before
        assert await asyncio.to_thread(writes, deployment) == before
        await check_records(stores)


async def test_a_worker_that_is_told_to_stop_hands_its_task_to_another_within_seconds(
    servers: Servers, tmp_path: Path
) -> None:
    gate = gated.built(tmp_path)
    executors = {"YMIR_PROCESS_EXECUTORS": str(gate.executor)}
    async with deployed(servers, tmp_path, workers=2, **executors) as deployment, deployment.client() as client:
        await gated.stocked(client, tmp_path)
        task = await started(client, gate)
        stopped = deployment.owner(task.owner)

        stopped.program.signal(signal.SIGTERM)
        await gate.reached(times=2, seconds=HANDED_OVER_SECONDS)
        status = await stopped.program.ended()
        gate.open()
        ended = await client.ended(task)

        assert status == 0
        assert (ended.outlived, ended.tries) == (0, 0)


@pytest.mark.skipif(not IS_FULL, reason="it takes as long as the lease of a deployment; `make faults` runs it")
async def test_the_task_of_a_dead_worker_runs_again_within_45_seconds(servers: Servers, tmp_path: Path) -> None:
    gate = gated.built(tmp_path)
    settings = {**DEFAULTS, "YMIR_PROCESS_EXECUTORS": str(gate.executor)}
    async with deployed(servers, tmp_path, workers=2, **settings) as deployment, deployment.client() as client:
        await gated.stocked(client, tmp_path)
        task = await started(client, gate)

        killed_at = time.monotonic()
        await deployment.owner(task.owner).program.kill()
        await gate.reached(times=2, seconds=2 * DEAD_SECONDS)
        seconds = time.monotonic() - killed_at
        gate.open()
        ended = await client.ended(task)

        assert seconds <= DEAD_SECONDS
        assert ended.outlived == 1


async def started(client: Patient, gate: gated.Gate) -> Task:
    """Return a training that has come to the gate."""
    task = await client.submit(gated.PROJECT, gated.TRAINING)
    await gate.reached()
    running = await gated.current(client, task)
    assert running.state is TaskState.RUNNING
    return running


async def has_said(worker: Worker, what: str) -> bool:
    return what in worker.said()


def writes(deployment: Deployment) -> list[dict[str, Any]]:
    """Return all that was ever written into the deployment's database, as its replicas would repeat it."""
    client: MongoClient[dict[str, Any]] = MongoClient(deployment.settings["YMIR_MONGO_URL"])
    with client:
        database = client.get_default_database().name
        return list(client.local["oplog.rs"].find({"ns": {"$regex": f"^{database}[.]"}}))
