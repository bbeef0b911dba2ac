"""The stores of the production profile are copied, lost, and put back; the broker is a new one."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient

from client.api import ready
from client.calls import Refused
from schemas.algebra_parameters import SampleParameters
from schemas.datasets import Dataset, Version
from schemas.events import LoggedEvent
from schemas.exchange_parameters import ImportParameters, ImportSource, UnknownClasses
from schemas.projects import Project, ProjectSubmission
from schemas.task_states import TaskState
from schemas.tasks import Task
from tests.faults.deployment import START_SECONDS, Deployment, deployed
from tests.faults.patient import Patient
from tests.faults.program import ROOT
from tests.faults.servers import Servers, own_servers
from tests.faults.waiting import until
from tests.servers import rabbitmq, s3
from tests.workers.pictures import a_voc_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PICTURES = 8
END_SECONDS = 60.0


async def test_everything_goes_on_from_copies_of_the_database_and_the_bucket(tmp_path: Path) -> None:
    with own_servers(tmp_path / "servers") as servers:
        async with deployed(servers, tmp_path, workers=1) as deployment:
            async with deployment.client() as client:
                await begin(client, a_voc_folder(tmp_path / "source", images=PICTURES))
                queued = await left_in_the_queue(client, deployment)
                log, digests = await events(client), await versions(client)
            with locked(servers):
                await asyncio.to_thread(shutil.copytree, data_of(servers), tmp_path / "documents")
            await asyncio.to_thread(copied, servers, "store:blobs", tmp_path / "bucket")

            await lost(servers, deployment)
            shutil.copytree(tmp_path / "documents", data_of(servers))
            await servers.database.start()
            await servers.shelf.start()
            await asyncio.to_thread(copied, servers, tmp_path / "bucket", "store:blobs")

            with rabbitmq.running(tmp_path / "servers" / "other") as (_, settings):
                await go_on(deployment, settings)
                async with deployment.client() as client:
                    await ready(client, seconds=START_SECONDS)
                    ended = await asyncio.wait_for(client.ended(queued), END_SECONDS)
                    found, again = await versions(client), await events(client)
                stayed = await collected(deployment)

    assert ended.state is TaskState.SUCCEEDED
    assert found == {**digests, "few@1": ended.result.digest}
    assert [logged.position for logged in again] == list(range(1, len(again) + 1))
    assert again[: len(log)] == log
    assert len(again) > len(log)
    assert stayed["removed"]["blobs"] == 0
    assert stayed["named"]["blobs"] > PICTURES


async def begin(client: Patient, source: Path) -> None:
    await until(lambda: is_known(client), seconds=START_SECONDS)
    await client.post(Project, "/v1/projects", ProjectSubmission(name="p"))
    asked = ImportParameters(
        dataset="pictures", source=ImportSource(path=str(source)), unknown_classes=UnknownClasses.ADD
    )
    await asyncio.wait_for(client.ended(await client.submit("p", asked)), END_SECONDS)


async def is_known(client: Patient) -> bool:
    """Return whether the gateway has made the administrator's key known, which it does beside its start."""
    try:
        await client.read("/v1/projects")
    except Refused as refused:
        if refused.problem.status != HTTPStatus.UNAUTHORIZED:
            raise
        return False
    return True


async def left_in_the_queue(client: Patient, deployment: Deployment) -> Task:
    """Stop the workers, then ask for one more task."""
    for worker in deployment.workers:
        worker.program.signal(signal.SIGTERM)
        await worker.program.ended()
    return await client.submit("p", SampleParameters(dataset="few", source="pictures", count=2))


@contextmanager
def locked(servers: Servers) -> Iterator[None]:
    """Have the database write nothing to its files."""
    client: MongoClient[dict[str, Any]] = MongoClient(servers.settings["YMIR_MONGO_URL"])
    with client:
        client.admin.command("fsync", lock=True)
        try:
            yield
        finally:
            client.admin.command("fsyncUnlock")


def data_of(servers: Servers) -> Path:
    return servers.bucket.parents[2] / "mongod" / "data"


def copied(servers: Servers, source: object, to: object) -> None:
    """Copy with rclone, as docs/operations.md says."""
    program = s3.program()
    assert program is not None
    address = urlsplit(servers.settings["YMIR_S3_URL"])
    store = {
        "RCLONE_CONFIG_STORE_TYPE": "s3",
        "RCLONE_CONFIG_STORE_PROVIDER": "Other",
        "RCLONE_CONFIG_STORE_ENDPOINT": f"{address.scheme}://{address.netloc}",
        "RCLONE_CONFIG_STORE_ACCESS_KEY_ID": servers.settings["YMIR_S3_ACCESS_KEY"],
        "RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY": servers.settings["YMIR_S3_SECRET_KEY"],
    }
    command = [program, "copy", "--immutable", str(source), str(to)]
    subprocess.run(command, env={**os.environ, **store}, check=True, capture_output=True)


async def lost(servers: Servers, deployment: Deployment) -> None:
    """Lose the gateway, the database with its data, and the bucket with its blobs."""
    await deployment.gateway.kill()
    await servers.database.kill()
    await servers.shelf.kill()
    shutil.rmtree(data_of(servers))
    shutil.rmtree(servers.bucket)
    servers.bucket.mkdir()


async def go_on(deployment: Deployment, settings: Mapping[str, str]) -> None:
    """Start a gateway and a worker under changed settings."""
    deployment.settings |= settings
    deployment.gateway.environment |= settings
    await deployment.gateway.start()
    await deployment.add_worker()


async def collected(deployment: Deployment) -> dict[str, Any]:
    """Return what ``ymir admin gc`` says of the stores of the environment."""
    collecting = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "client.commands", "admin", "gc", "--json"),
        cwd=ROOT,
        env={**os.environ, **deployment.settings},
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await asyncio.wait_for(collecting.communicate(), END_SECONDS)
    found: dict[str, Any] = json.loads(told)
    return found


async def versions(client: Patient) -> dict[str, str | None]:
    """Return the digest of every version, having read its statistics."""
    found: dict[str, str | None] = {}
    async for dataset in client.items(Dataset, "/v1/projects/p/datasets"):
        path = f"/v1/projects/p/datasets/{dataset.name}/versions"
        async for version in client.items(Version, path):
            await client.read(f"{path}/{version.number}/stats")
            found[f"{dataset.name}@{version.number}"] = version.digest
    return found


async def events(client: Patient) -> list[LoggedEvent]:
    return [logged async for logged in client.items(LoggedEvent, "/v1/events")]
