"""The service is killed at random moments of the loop; nothing is lost, and nothing happens twice."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from client.api import Client
from client.demo.digits import build
from client.demo.loop import MINED, Loop, Pictures, Run
from schemas.datasets import Dataset, Version
from schemas.events import LoggedEvent
from schemas.models import Model
from schemas.task_states import TaskState
from schemas.tasks import EPOCHS_OUTLIVED, Task
from tests.e2e.service import Service, served

KILLS = 10
ROUNDS = 3
PATIENCE_SECONDS = 60.0
LOOP_SECONDS = 300.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


async def test_a_loop_whose_service_is_killed_ten_times_ends_as_one_that_is_left_alone(tmp_path: Path) -> None:
    pictures = some_pictures(tmp_path / "pictures")
    async with served(tmp_path / "calm", import_root=tmp_path) as calm, calm.client() as client:
        await looped(client, pictures)
        expected = await digests(client)

    async with (
        served(tmp_path / "killed", import_root=tmp_path) as killed,
        killed.client(patience_seconds=PATIENCE_SECONDS) as client,
    ):
        looping = asyncio.create_task(looped(client, pictures))
        kills = await killed_at_random(killed, looping, client)
        await asyncio.wait_for(looping, LOOP_SECONDS)
        await check_nothing_is_lost_or_twice(client)
        found = await digests(client)

    assert kills == KILLS
    assert found == expected
    assert executors_of(tmp_path) == []


def some_pictures(folder: Path) -> Pictures:
    made = build(folder, seed=1, training=30, validation=10, pool=45)
    return Pictures(made.training, made.validation, made.pool, made.classes)


async def looped(client: Client, pictures: Pictures) -> None:
    loop = Loop(client, pictures, Run(0, "loop"), watch=lambda *_: None, measured=lambda *_: None)
    await loop.start()
    await loop.rounds(MINED, count=ROUNDS, picks=10)


async def killed_at_random(service: Service, looping: asyncio.Task[None], client: Client) -> int:
    moments = random.Random(0)
    kills = 0
    while kills < KILLS and not looping.done():
        await asyncio.wait({looping}, timeout=moments.uniform(0.2, 1.5))
        if looping.done() or await has_outlived_enough(client):
            continue
        await service.kill()
        kills += 1
        await service.start()
    return kills


async def has_outlived_enough(client: Client) -> bool:
    """Tell whether some task would fail, as it should, if its worker vanished once more or twice."""
    running = client.items(Task, "/v1/projects/loop/tasks", state=TaskState.RUNNING)
    return any([task.outlived >= EPOCHS_OUTLIVED - 2 async for task in running])


async def check_nothing_is_lost_or_twice(client: Client) -> None:
    tasks = [task async for task in client.items(Task, "/v1/projects/loop/tasks")]
    assert tasks
    assert {task.state for task in tasks} == {TaskState.SUCCEEDED}
    models = [model.task async for model in client.items(Model, "/v1/projects/loop/models")]
    assert len(models) == len(set(models)) == ROUNDS + 1
    made = Counter([version.task for version in await versions(client)])
    assert set(made.values()) == {1}
    numbers = {(version.dataset_name, version.number) for version in await versions(client)}
    assert len(numbers) == len(made)
    events = [logged async for logged in client.items(LoggedEvent, "/v1/events")]
    assert [logged.position for logged in events] == list(range(1, len(events) + 1))
    ids = Counter(logged.event.id for logged in events)
    assert set(ids.values()) == {1}


async def versions(client: Client) -> list[Version]:
    found = []
    async for dataset in client.items(Dataset, "/v1/projects/loop/datasets"):
        path = f"/v1/projects/loop/datasets/{dataset.name}/versions"
        found += [version async for version in client.items(Version, path)]
    return found


async def digests(client: Client) -> dict[str, str]:
    return {f"{version.dataset_name}@{version.number}": version.digest for version in await versions(client)}


def executors_of(folder: Path) -> list[str]:
    return [line for line in running_commands() if str(folder) in line and "client.commands" not in line]


def running_commands() -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            yield (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
