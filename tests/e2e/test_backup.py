"""A data folder is backed up while it is served; the service goes on from the copy."""

import asyncio
import shutil
from pathlib import Path

import pytest

from client.admin import back_up, collect_garbage
from client.api import Client
from gateway.views import AssetView
from schemas.algebra_parameters import SampleParameters
from schemas.datasets import Dataset, Version
from schemas.events import LoggedEvent
from schemas.exchange_parameters import ImportParameters, ImportSource, LabelParameters, UnknownClasses
from schemas.labeling import ItemView, JobStatus
from schemas.projects import Project, ProjectSubmission
from schemas.schema import digest_of
from schemas.task_states import TaskState
from schemas.tasks import Task
from storage.ports import Query
from storage.sqlite import open_database
from tests.e2e.service import served
from tests.faults.waiting import until
from tests.workers.pictures import a_voc_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PICTURES = 12
TASKS = 40
TRIES = 10
END_SECONDS = 120.0


async def test_the_service_goes_on_from_a_back_up_that_was_made_while_it_worked(tmp_path: Path) -> None:
    async with served(tmp_path / "data", import_root=tmp_path) as service, service.client() as client:
        label = await begin(client, a_voc_folder(tmp_path / "source", images=PICTURES))
        await backed_up_in_the_middle(client, tmp_path)
        log = [logged async for logged in client.items(LoggedEvent, "/v1/events")]
    digests, common = await kept_in(tmp_path / "to")

    shutil.copytree(tmp_path / "to", tmp_path / "restored")

    async with served(tmp_path / "restored", import_root=tmp_path) as service, service.client() as client:
        await every_task_ends(client, but=label)
        await answered(client, label)
        found = await versions(client)
        await check_readable(client)
        again = [logged async for logged in client.items(LoggedEvent, "/v1/events")]
    assert {name: digest for name, digest in found.items() if name in digests} == digests
    assert len(found) > len(digests) + 1
    assert [logged.position for logged in again] == list(range(1, len(again) + 1))
    assert [logged.event for logged in again[:common]] == [logged.event for logged in log[:common]]
    assert {logged.event.source for logged in again} == {logged.event.source for logged in log}
    assert len({logged.event.id for logged in again}) == len(again) > common


async def test_garbage_is_collected_beside_the_running_service(tmp_path: Path) -> None:
    async with served(tmp_path / "data", import_root=tmp_path) as service, service.client() as client:
        await begin(client, a_voc_folder(tmp_path / "source", images=PICTURES))
        tasks = await sampled(client)

        found = [await collect_garbage(tmp_path / "data", hidden_days=30, dry_run=False) for _ in range(3)]

        for task in tasks:
            await asyncio.wait_for(client.ended(task), END_SECONDS)
        assert {one.removed.blobs for one in found} == {0}
        assert found[-1].named.blobs > PICTURES
        await check_readable(client)


async def begin(client: Client, source: Path) -> Task:
    """Import some pictures and ask people to label them; return the task that waits for that."""
    await client.post(Project, "/v1/projects", ProjectSubmission(name="p"))
    asked = ImportParameters(
        dataset="pictures", source=ImportSource(path=str(source)), unknown_classes=UnknownClasses.ADD
    )
    await client.ended(await client.submit("p", asked))
    label = await client.submit("p", LabelParameters(dataset="labeled", source="pictures", classes=("cat",)))

    async def waiting() -> Task | None:
        now = await client.get(Task, f"/v1/tasks/{label.id}")
        return now if now.state is TaskState.WAITING else None

    found = await until(waiting, seconds=END_SECONDS)
    assert found is not None
    return found


async def sampled(client: Client) -> list[Task]:
    asked = [SampleParameters(dataset="few", source="pictures", count=2, seed=seed) for seed in range(TASKS)]
    return await asyncio.gather(*(client.submit("p", one) for one in asked))


async def backed_up_in_the_middle(client: Client, folder: Path) -> None:
    """Make a back-up in which some tasks are still to be done."""
    for _ in range(TRIES):
        tasks = await sampled(client)
        await back_up(folder / "data", folder / "to")
        for task in tasks:
            await asyncio.wait_for(client.ended(task), END_SECONDS)
        if await queued_in(folder / "to"):
            return
    pytest.fail("every back-up was made after the last task had ended")


async def queued_in(folder: Path) -> int:
    async with open_database(folder / "ymir.db") as database:
        return await database.documents(Task).count(Query(equal={"state": [TaskState.QUEUED, TaskState.RUNNING]}))


async def kept_in(folder: Path) -> tuple[dict[str, str], int]:
    """Return the digests of all versions of a back-up, and how many events it has."""
    async with open_database(folder / "ymir.db") as database:
        found = (await database.documents(Version).list(limit=10_000)).items
        digests = {f"{version.dataset_name}@{version.number}": version.digest for version in found}
        return digests, await database.documents(LoggedEvent).count()


async def every_task_ends(client: Client, *, but: Task) -> None:
    tasks = [task async for task in client.items(Task, "/v1/projects/p/tasks") if task.id != but.id]
    for task in tasks:
        await asyncio.wait_for(client.ended(task), END_SECONDS)


async def answered(client: Client, label: Task) -> None:
    """Answer the job that waited in the back-up, and wait for its version."""
    job = f"/v1/projects/p/labeling/{label.result.labeling}"
    items = [item async for item in client.items(ItemView, f"{job}/items")]
    answers = {"answers": [{"asset": item.asset, "annotations": []} for item in items]}
    await client.post(JobStatus, f"{job}/annotations", answers)
    await asyncio.wait_for(client.ended(label), END_SECONDS)


async def versions(client: Client) -> dict[str, str]:
    found = {}
    async for dataset in client.items(Dataset, "/v1/projects/p/datasets"):
        async for version in client.items(Version, f"/v1/projects/p/datasets/{dataset.name}/versions"):
            found[f"{dataset.name}@{version.number}"] = version.digest
    return found


async def check_readable(client: Client) -> None:
    """Read every image of every version, each compared with its name."""
    for name in await versions(client):
        dataset, _, number = name.partition("@")
        path = f"/v1/projects/p/datasets/{dataset}/versions/{number}/assets"
        async for asset in client.items(AssetView, path):
            assert digest_of(await client.read(f"{path}/{asset.asset}/image")) == f"sha256:{asset.asset}"
