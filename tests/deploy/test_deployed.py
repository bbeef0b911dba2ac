"""The image by docker-compose.yml on a real engine: what its containers do, and what they may not do."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from client.demo.digits import build
from client.demo.loop import MINED, Loop, Pictures, Run
from schemas.models import Model
from tests.deploy.deployment import SERVICES, Deployment, deployed
from tests.deploy.docker_client import Docker, compose_commands
from tests.servers.found import required
from tests.servers.mongod import another_database

LOOP_SECONDS = 180.0
STOP_SECONDS = 20.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
async def deployment(
    tmp_path: Path, docker: Docker, image: str, mongo_url: str, amqp_url: str, s3_settings: Mapping[str, str]
) -> AsyncIterator[Deployment]:
    required("Compose", install="apt-get install docker-compose", found=bool(compose_commands()))
    s3 = {name: s3_settings[name] for name in ("YMIR_S3_URL", "YMIR_S3_ACCESS_KEY", "YMIR_S3_SECRET_KEY")}
    stores = {"YMIR_MONGO_URL": another_database(mongo_url), "YMIR_AMQP_URL": amqp_url, **s3, "YMIR_BUS": "deployed"}
    async with deployed(tmp_path, docker=docker, image=image, stores=stores) as deployment:
        yield deployment


async def test_a_deployment_does_a_round_of_the_loop_and_ends_when_it_is_told_to(deployment: Deployment) -> None:
    made = build(deployment.pictures / "digits", seed=1, training=30, validation=10, pool=45)
    pictures = Pictures(made.training, made.validation, made.pool, made.classes)

    async with deployment.client("worker"), deployment.client() as client, asyncio.timeout(LOOP_SECONDS):
        loop = Loop(client, pictures, Run(0, "digits"), watch=lambda *_: None, measured=lambda *_: None)
        await loop.start()
        await loop.rounds(MINED, count=1, picks=10)
        models = [model async for model in client.items(Model, "/v1/projects/digits/models")]

    assert len(models) == 2
    await check_they_may_little(deployment)
    await check_they_are_healthy(deployment)
    await check_they_stop(deployment)


async def check_they_may_little(deployment: Deployment) -> None:
    for service in SERVICES:
        container = await deployment.container(service)
        status = deployment.docker("exec", container, "cat", "/proc/1/status", "/proc/self/status")

        assert {line.split()[1] for line in status.splitlines() if line.startswith("Uid:")} == {"10001"}
        assert {line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:")} == {"0" * 16}
        assert {line.split()[1] for line in status.splitlines() if line.startswith("NoNewPrivs:")} == {"1"}
        with pytest.raises(AssertionError, match="Read-only file system"):
            deployment.docker("exec", container, "touch", "/opt/ymir/a")


async def check_they_are_healthy(deployment: Deployment) -> None:
    """Look as the engine does, whose first look comes only after half a minute."""
    for service in SERVICES:
        container = await deployment.container(service)
        test = deployment.docker("inspect", "--format", '{{join .Config.Healthcheck.Test "\\n"}}', container)
        kind, *command = test.strip().splitlines()

        assert kind == "CMD"
        deployment.docker("exec", container, *command)


async def check_they_stop(deployment: Deployment) -> None:
    containers = [await deployment.container(service) for service in SERVICES]
    began = time.monotonic()

    await deployment.compose("stop")

    assert time.monotonic() - began < STOP_SECONDS
    for container in containers:
        log = await asyncio.to_thread(deployment.docker, "logs", container)
        assert deployment.docker.inspected(container, ".State.ExitCode") == "0", log
