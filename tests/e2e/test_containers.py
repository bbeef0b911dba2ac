"""Executors in containers, as a user has them: the loop, a log that grows, a service that is killed, and cancelling."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from client.api import Client
from client.calls import Refused
from client.data_folder import DOCUMENTS
from client.demo import loop
from client.demo.digits import CLASSES, build
from client.demo.loop import MINED, Loop, Pictures, Run
from schemas.annotations import ObjectType
from schemas.executors import Executor, Purpose, Runtime
from schemas.model_parameters import TrainParameters
from schemas.models import Model
from schemas.refs import Source
from schemas.schema import derived_id, new_id
from schemas.splits import Split
from schemas.task_states import TaskState
from schemas.tasks import Task
from storage.sqlite import open_database
from tests.deploy.docker_client import Docker
from tests.e2e.service import Service, served
from tests.factories import NOON
from tests.faults.waiting import until
from tests.servers.executor_images import TINY_DETECTOR, built, tiny_detector
from workers.executors.containers import DEPLOYMENT as DEPLOYED
from workers.executors.containers import TASK

PROJECT = "loop"
DEPLOYMENT = f"test-{new_id()}"
WAIT_SECONDS = 60.0
SEEN_SECONDS = 2.0
CANCELLED_SECONDS = 15.0
SLOW = """\
trap '' TERM
for n in $(seq 1 8); do
  echo "warming up $n"
  printf 't\\t1\\t0.%s\\t2\\n' $n > /out/monitor.txt
  sleep 0.5
done
exec bash /app/start.sh
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
async def service(
    docker_settings: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Service]:
    """Serve with three images: the detector, the same after some seconds, and one that does nothing."""
    for name, value in docker_settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("YMIR_DOCKER_REAP_SECONDS", "1")
    monkeypatch.setenv("YMIR_DOCKER_DEPLOYMENT", DEPLOYMENT)
    monkeypatch.setattr(loop, "EXECUTOR", "detector")
    (tmp_path / "data").mkdir()
    async with open_database(tmp_path / "data" / DOCUMENTS) as database:
        for name, image in images(Docker(docker_settings), tmp_path).items():
            await database.documents(Executor).add(an_executor(name, image))
    async with served(tmp_path / "data", import_root=tmp_path) as service:
        yield service


def images(docker: Docker, folder: Path) -> dict[str, str]:
    detector = tiny_detector(docker)
    (folder / "slow").mkdir()
    (folder / "slow" / "start.sh").write_text(SLOW)
    (folder / "slow" / "Dockerfile").write_text(
        f'ARG BASE\nFROM {detector}\nCOPY start.sh /slow.sh\nCMD ["bash", "/slow.sh"]\n'
    )
    (folder / "idle").mkdir()
    (folder / "idle" / "Dockerfile").write_text('ARG BASE\nFROM ${BASE}\nCMD ["true"]\n')
    slow, idle = (built(docker, folder / name, f"ymir-test-{name}:local") for name in ("slow", "idle"))
    return {"detector": detector, "slow": slow, "idle": idle}


def an_executor(name: str, image: str) -> Executor:
    return Executor(
        id=new_id(),
        name=name,
        runtime=Runtime.DOCKER,
        reference=image,
        object_types=(ObjectType.DETECTION,),
        templates={purpose: {"seed": 0} for purpose in Purpose},
        created_at=NOON,
    )


async def test_a_loop_in_containers_is_seen_survives_its_service_and_can_be_cancelled(
    service: Service, docker_settings: Mapping[str, str], tmp_path: Path
) -> None:
    async with service.client(patience_seconds=WAIT_SECONDS) as client:
        await check_the_loop_leaves_models_and_no_container(client, docker_settings, tmp_path)

        task = await client.submit(PROJECT, training("slow"))
        await check_it_is_seen(client, task)

        await service.kill()
        assert containers(docker_settings, task) != ""
        await service.start()
        ended = await asyncio.wait_for(client.ended(task), WAIT_SECONDS)
        assert ended.state is TaskState.SUCCEEDED
        assert ended.outlived == 1
        assert containers(docker_settings) == ""
        assert b"warming up 8" in await client.read(f"/v1/tasks/{task.id}/log")

        await check_it_can_be_cancelled(client, docker_settings)
        with pytest.raises(Exception, match=r"without writing models/result\.yaml"):
            await client.ended(await client.submit(PROJECT, training("idle")))


async def check_the_loop_leaves_models_and_no_container(
    client: Client, docker_settings: Mapping[str, str], folder: Path
) -> None:
    """Training, mining, inference and evaluation run; the models name the image."""
    running = await started(client, folder)
    await running.rounds(MINED, count=1, picks=10)
    models = [model async for model in client.items(Model, f"/v1/projects/{PROJECT}/models")]
    assert len(models) == 2
    assert models[0].executor_digest == Docker(docker_settings).inspected(TINY_DETECTOR, ".Id")
    assert containers(docker_settings) == ""


async def check_it_is_seen(client: Client, task: Task) -> None:
    """Its log and its progress are there within two seconds."""

    async def begun() -> bytes:
        try:
            return await client.read(f"/v1/tasks/{task.id}/log")
        except Refused:
            return b""

    async def further() -> bool:
        return (await client.get(Task, f"/v1/tasks/{task.id}")).progress.fraction > 0.3

    assert b"warming up 1\n" in await until(begun, seconds=WAIT_SECONDS)
    assert await until(further, seconds=SEEN_SECONDS + 2.0)


async def check_it_can_be_cancelled(client: Client, docker_settings: Mapping[str, str]) -> None:
    task = await client.submit(PROJECT, training("slow"))

    async def runs() -> bool:
        return containers(docker_settings, task) != ""

    async def is_over() -> bool:
        return (await client.get(Task, f"/v1/tasks/{task.id}")).state is TaskState.CANCELLED

    await until(runs, seconds=WAIT_SECONDS)
    asked_at = time.monotonic()
    await client.post(Task, f"/v1/tasks/{task.id}/cancel")
    await until(is_over, seconds=CANCELLED_SECONDS)
    assert time.monotonic() - asked_at < CANCELLED_SECONDS
    assert containers(docker_settings) == ""


async def started(client: Client, folder: Path) -> Loop:
    made = build(folder / "digits", seed=1, training=30, validation=10, pool=45)
    pictures = Pictures(made.training, made.validation, made.pool, made.classes)
    running = Loop(client, pictures, Run(0, PROJECT), watch=lambda *_: None, measured=lambda *_: None)
    await running.start()
    return running


def training(executor: str) -> TrainParameters:
    return TrainParameters(
        training=(Source(ref="training@initial", split=Split.TRAINING),),
        validation=("validation@initial",),
        model=executor,
        classes=CLASSES,
        executor=executor,
    )


def containers(docker_settings: Mapping[str, str], task: Task | None = None) -> str:
    """Return the ids of all containers of executors, or of one task."""
    deployment = derived_id("deployment", DEPLOYMENT)
    wanted = f"{DEPLOYED}={deployment}" if task is None else f"{TASK}={task.id}"
    return Docker(docker_settings)("ps", "--all", "--quiet", f"--filter=label={wanted}").strip()
