"""Full disks and damaged blobs: they are told of, and what they hold is never used."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import pytest

from client.calls import Refused
from schemas.algebra_parameters import FilterParameters
from schemas.datasets import Version
from schemas.exchange_parameters import ExportParameters
from schemas.manifests import Segment
from schemas.parameters import Parameters
from schemas.problems import Problem
from schemas.schema import Digest
from schemas.tasks import Task
from storage.datasets.library import Library
from storage.production import Stores
from tests.faults import gated
from tests.faults.deployment import Deployment, deployed
from tests.faults.invariants import all_of, check_blobs, check_records
from tests.faults.patient import Patient
from tests.faults.servers import Servers
from tests.faults.waiting import until
from tests.servers.found import S3
from tests.servers.s3 import ACCESS_KEY, SECRET_KEY, damage_object

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SMALL: Final = "100k"
LARGE: Final = "64m"
EXPORT: Final = ExportParameters(source="training", format="coco")
FILTER: Final = FilterParameters(dataset="some", source="training", include_classes=("one", "two"))


async def test_a_task_for_which_the_workers_disk_is_too_full_is_done_when_there_is_room(
    servers: Servers, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "work") as disk:
        async with (
            deployed(servers, tmp_path, workers=1) as deployment,
            deployment.client() as client,
            deployment.stores() as stores,
        ):
            await gated.stocked(client, tmp_path)

            task = await client.submit(gated.PROJECT, EXPORT)
            await until(lambda: was_tried(stores), seconds=gated.SECONDS)
            resize(disk, LARGE)
            ended = await client.ended(task)

            assert "The worker's disk is full" in deployment.workers[0].said()
            archive = await client.read(f"/v1/tasks/{task.id}/archive")
            assert ended.result.archive is not None
            assert len(archive) == ended.result.archive.size


@pytest.mark.parametrize("how", ["its disk is full", "it says so"])
async def test_a_task_for_which_the_s3_server_has_no_room_is_done_when_there_is_some(
    servers: Servers, tmp_path: Path, how: str
) -> None:
    async with (
        deployed(servers, tmp_path, workers=1) as deployment,
        deployment.client() as client,
        deployment.stores() as stores,
        AsyncExitStack() as disks,
    ):
        fault = (
            full_bucket(deployment, disks) if how == "its disk is full" else deployment.cable.answering("507 No Room")
        )
        async with asyncio.TaskGroup() as group, fault:
            group.create_task(gated.stocked(client, tmp_path))
            await until(lambda: was_tried(stores), seconds=gated.SECONDS)
            assert [version async for version in all_of(stores, Version)] == []

        assert "The S3 server" in deployment.workers[0].said()
        await check_records(stores)
        assert await check_blobs(stores)


async def test_a_damaged_blob_is_told_of_by_the_problem_of_each_task_that_reads_it(
    servers: Servers, tmp_path: Path
) -> None:
    async with (
        deployed(servers, tmp_path, workers=1) as deployment,
        deployment.client() as client,
        deployment.stores() as stores,
    ):
        await gated.stocked(client, tmp_path)
        image, segments = await an_image(stores), [segment async for segment in all_of(stores, Segment)]
        before = [version async for version in all_of(stores, Version)]

        await damage(deployment, image)
        exported = await problem_of(client, EXPORT)
        for segment in segments:
            await damage(deployment, segment.images.digest)
            await damage(deployment, segment.annotations.digest)
        await restarted(deployment)  # what it has read before was no damaged blob
        filtered = await problem_of(client, FILTER)

        assert f"The blob {image} is damaged" in exported.detail
        assert "is damaged" in filtered.detail
        assert any(name in filtered.detail for segment in segments for name in digests(segment))
        assert [version async for version in all_of(stores, Version)] == before


async def was_tried(stores: Stores) -> bool:
    """Return whether some task was put back after it was tried."""
    return any([task.tries async for task in all_of(stores, Task)])


async def problem_of(client: Patient, asked: Parameters) -> Problem:
    """Return the problem with which a task fails."""
    with pytest.raises(Refused) as refused:
        await client.ended(await client.submit(gated.PROJECT, asked))
    return refused.value.problem


async def an_image(stores: Stores) -> Digest:
    """Return the blob of a picture to train on."""
    library = Library(stores.database, stores.blobs)
    versions = [version async for version in all_of(stores, Version) if version.dataset_name == "training"]
    rows = [row async for row in library.rows(await library.content(versions[0].digest))]
    return f"sha256:{rows[0].asset}"


async def damage(deployment: Deployment, digest: Digest) -> None:
    url = f"{deployment.servers.settings[S3.setting]}/{deployment.settings['YMIR_BUS']}"
    keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
    await asyncio.to_thread(damage_object, url, keys, digest)


async def restarted(deployment: Deployment) -> None:
    for worker in deployment.workers:
        await worker.program.kill()
        await worker.start()


def digests(segment: Segment) -> tuple[Digest, Digest]:
    return segment.images.digest, segment.annotations.digest


@asynccontextmanager
async def full_bucket(deployment: Deployment, stack: AsyncExitStack) -> AsyncIterator[None]:
    """Have the S3 server's disk full, and afterwards not; the disk is there until the stack is closed."""
    disk = stack.enter_context(small_disk(deployment.servers.bucket / deployment.settings["YMIR_BUS"]))
    yield
    resize(disk, LARGE)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Have a folder on a disk of its own that is soon full."""
    folder.mkdir(parents=True, exist_ok=True)
    made = run("mount", "-t", "tmpfs", "-o", f"size={SMALL}", "ymir-tests", str(folder))
    if made.returncode:
        pytest.skip("no disk can be made here: that takes root, and the right to mount")
    try:
        yield folder
    finally:
        run("umount", "--lazy", str(folder)).check_returncode()


def resize(folder: Path, size: str) -> None:
    run("mount", "-o", f"remount,size={size}", str(folder)).check_returncode()


def run(*command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, check=False, capture_output=True)
