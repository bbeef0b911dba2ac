"""Cancelling, in every state, and a hundred at once."""

import asyncio
import time
from pathlib import Path

import pytest

from client.calls import Refused
from client.demo.digits import CLASSES
from schemas.exchange_parameters import LabelParameters
from schemas.outcomes import Outcome
from schemas.projects import Project
from schemas.task_states import TaskState
from schemas.tasks import Task
from storage.clock import utc_now
from storage.production import Stores
from tests.factories import a_task
from tests.faults import gated
from tests.faults.deployment import deployed
from tests.faults.patient import Patient
from tests.faults.servers import Servers
from tests.faults.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CANCELLED_SECONDS = 15.0
MANY = 100
LABELING = LabelParameters(dataset="labeled", source="training", classes=CLASSES)


async def test_a_task_can_be_cancelled_in_every_state_until_it_is_decided(servers: Servers, tmp_path: Path) -> None:
    gate = gated.built(tmp_path)
    executors = {"YMIR_PROCESS_EXECUTORS": str(gate.executor)}
    async with (
        deployed(servers, tmp_path, workers=1, **executors) as deployment,
        deployment.client() as client,
        deployment.stores() as stores,
    ):
        await gated.stocked(client, tmp_path)
        running = await client.submit(gated.PROJECT, gated.TRAINING)
        await gate.reached()
        queued = await client.submit(gated.PROJECT, gated.TRAINING)
        waiting = await in_state(client, await client.submit(gated.PROJECT, LABELING), TaskState.WAITING)
        decided = await a_decided_task(client, stores)

        at_once = [await cancelled(client, task) for task in (queued, waiting)]
        asked = await cancelled(client, running)
        with pytest.raises(Refused, match="its outcome is decided"):
            await cancelled(client, decided)

        assert [task.state for task in at_once] == [TaskState.CANCELLED] * 2
        assert asked.cancel_requested
        await in_state(client, running, TaskState.CANCELLED, seconds=CANCELLED_SECONDS)
        await in_state(client, decided, TaskState.SUCCEEDED)
        with pytest.raises(Refused, match="The task is succeeded"):
            await cancelled(client, decided)
        assert await gate.runs() == 1


async def test_a_hundred_of_a_hundred_cancelled_tasks_have_ended_within_15_seconds(
    servers: Servers, tmp_path: Path
) -> None:
    gate = gated.built(tmp_path)
    settings = {"YMIR_PROCESS_EXECUTORS": str(gate.executor), "YMIR_SLOTS": '{"data": 2, "executor": 6, "service": 2}'}
    async with deployed(servers, tmp_path, workers=2, **settings) as deployment, deployment.client() as client:
        await gated.stocked(client, tmp_path)
        waiting = [await client.submit(gated.PROJECT, LABELING) for _ in range(MANY // 10)]
        others = [await client.submit(gated.PROJECT, gated.TRAINING) for _ in range(MANY - len(waiting))]
        await gate.reached(times=12)

        asked_at = time.monotonic()
        await asyncio.gather(*(cancelled(client, task) for task in (*waiting, *others)))
        for task in (*waiting, *others):
            await in_state(client, task, TaskState.CANCELLED)
        seconds = time.monotonic() - asked_at

        assert seconds <= CANCELLED_SECONDS


async def cancelled(client: Patient, task: Task) -> Task:
    return await client.post(Task, f"/v1/tasks/{task.id}/cancel")


async def in_state(client: Patient, task: Task, state: TaskState, *, seconds: float = gated.SECONDS) -> Task:
    """Return a task as soon as it is in a state."""

    async def found() -> Task | None:
        known = await gated.current(client, task)
        return known if known.state is state else None

    return await until(found, seconds=seconds)


async def a_decided_task(client: Patient, stores: Stores) -> Task:
    """Return a task whose worker vanished between its decision and its end."""
    project = await client.get(Project, f"/v1/projects/{gated.PROJECT}")
    tasks = stores.database.documents(Task)
    queued = a_task(project=project.id)
    running = queued.claimed(by="a worker that vanished", at=utc_now())
    decided = running.decided(Outcome(), at=utc_now())
    await tasks.add(queued)
    await tasks.replace(running, was=queued)
    await tasks.replace(decided, was=running)
    return decided
