"""A worker dies while its task has a GPU: the task gets it again before those that came later, and nobody shares it."""

from pathlib import Path

import pytest

from schemas.hosts import Host
from schemas.task_states import TaskState
from schemas.tasks import Task
from tests.faults import gated
from tests.faults.deployment import deployed
from tests.faults.patient import Patient
from tests.faults.servers import Servers
from tests.faults.waiting import until
from tests.workers.gpu_machine import FAKE, Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WITH_GPU = gated.TRAINING.model_copy(update={"gpus": 1})
WAITS = "1 GPU that is free"


async def test_the_gpu_of_a_dead_worker_goes_to_its_task_again_and_then_to_the_next(
    servers: Servers, tmp_path: Path
) -> None:
    gate, machine = gated.built(tmp_path), Machine(tmp_path / "gpus.json")
    machine.has(16)
    settings = {
        "YMIR_PROCESS_EXECUTORS": str(gate.executor),
        "YMIR_SLOTS": '{"data": 2, "gpu": 2}',
        "PYTHONPATH": str(FAKE),
        "FAKE_GPUS": str(machine.file),
    }
    async with (
        deployed(servers, tmp_path, workers=2, **settings) as deployment,
        deployment.client() as client,
        deployment.stores() as stores,
    ):
        await gated.stocked(client, tmp_path)
        first = await client.submit(gated.PROJECT, WITH_GPU)
        await gate.reached()
        second = await client.submit(gated.PROJECT, WITH_GPU)
        await waits(client, second)
        running = await gated.current(client, first)

        await deployment.owner(running.owner).program.kill()
        await gate.reached(times=2)

        (host,) = (await stores.database.documents(Host).list()).items
        again = await gated.current(client, first)
        assert [(lease.task, lease.epoch) for lease in host.leases] == [(first.id, again.epoch)]
        assert (again.outlived, again.tries) == (1, 0)
        assert (await waits(client, second)).tries == 0
        gate.open()
        ended = [await client.ended(task) for task in (first, second)]

    assert [task.state for task in ended] == [TaskState.SUCCEEDED] * 2
    assert await gate.runs() == 3


async def waits(client: Patient, task: Task) -> Task:
    """Return a task as soon as it waits for a GPU."""

    async def look() -> Task | None:
        now = await gated.current(client, task)
        return now if (now.state, now.waiting_for) == (TaskState.QUEUED, WAITS) else None

    return await until(look, seconds=gated.SECONDS)
