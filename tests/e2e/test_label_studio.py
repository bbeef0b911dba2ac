"""The service, Label Studio, a person who labels there, and what lies between them: each for real."""

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession

from client.api import Client
from client.data_folder import DOCUMENTS
from schemas.labeling import JobStatus
from schemas.projects import Project, ProjectSubmission
from schemas.task_states import TaskState
from schemas.tasks import Task
from storage.ports import Query
from storage.sqlite import open_database
from tests.e2e.lossy import Lossy, lossy
from tests.e2e.service import served
from tests.servers.label_studio import TOKEN
from tests.servers.studio_annotator import Annotator, annotating
from tests.workers.pictures import a_voc_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PROJECT = "cats"
IMAGES = 12
SECONDS = 120.0


def settings(label_studio_url: str, way: Lossy, *, poll_seconds: float) -> Mapping[str, str]:
    tool = {"kind": "label_studio", "url": label_studio_url, "token": TOKEN}
    return {
        "YMIR_LABELING_TOOLS": orjson.dumps({"studio": tool}).decode(),
        "YMIR_LABELING_POLL_SECONDS": str(poll_seconds),
        "YMIR_PUBLIC_URL": way.url,
    }


async def a_label_task(client: Client, folder: Path, **changes: object) -> Task:
    """Bring in some pictures and have them labeled; return the task once it waits for people."""
    await client.post(Project, "/v1/projects", ProjectSubmission(name=PROJECT))
    pictures = a_voc_folder(folder / "pictures", images=IMAGES)
    source = {"path": str(pictures)}
    asked = {"type": "import", "dataset": "pool", "source": source, "unknown_classes": "add"}
    await client.ended(await client.submit(PROJECT, asked))
    wanted = {"type": "label", "dataset": "labeled", "source": "pool", "tool": "studio", "classes": ["cat"]}
    task = await client.submit(PROJECT, {**wanted, **changes})
    async with asyncio.timeout(SECONDS):
        while not task.waiting_for.startswith("answers"):
            assert not task.is_final, task.problem
            await asyncio.sleep(0.2)
            task = await client.get(Task, f"/v1/tasks/{task.id}")
    return task


async def status(client: Client, task: Task) -> JobStatus:
    return await client.get(JobStatus, f"/v1/projects/{PROJECT}/labeling/{task.result.labeling}")


async def ended(client: Client, task: Task) -> Task:
    async with asyncio.timeout(SECONDS):
        return await client.ended(task)


async def test_with_deliveries_lost_and_shuffled_and_a_service_that_was_killed_a_job_ends_with_what_people_did(
    tmp_path: Path, label_studio_url: str
) -> None:
    async with (
        lossy(lost=0.2, times=2, longest_seconds=1.0) as way,
        annotating(label_studio_url) as somebody,
        served(
            tmp_path / "data", import_root=tmp_path, environment=settings(label_studio_url, way, poll_seconds=2)
        ) as service,
        service.client() as client,
    ):
        way.to = service.url
        task = await a_label_task(client, tmp_path, keep="ground_truth")
        person = somebody.of((await status(client, task)).job.tool_project)
        tasks = sorted((await person.tasks()).values(), key=lambda found: found["data"]["file_name"])
        async with ClientSession() as session, session.get(tasks[0]["data"]["image"]) as answer:
            image, headers = await answer.read(), answer.headers
        for number, found in enumerate(tasks):
            if number == IMAGES // 2:
                await service.kill()
            await _label(person, found, number)
            if number == IMAGES * 2 // 3:
                await service.start()
        task = await ended(client, task)
        version = await client.version(PROJECT, "labeled")

    assert task.state is TaskState.SUCCEEDED
    assert hashlib.sha256(image).hexdigest() == tasks[0]["data"]["asset"]
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert way.dropped > 0
    assert set(way.answers) == {202}
    assert task.result.summary == {"labeled": 9, "empty": 3, "skipped": 3, "unanswered": 0}
    assert version.counts.images == 9


async def _label(person: Annotator, found: Mapping[str, Any], number: int) -> None:
    """Skip every fourth image; empty every fourth after a change of mind; else leave what was suggested."""
    suggested = [result for prediction in found["predictions"] for result in prediction["result"]]
    match number % 4:
        case 0:
            await person.skip(found["id"])
        case 1:
            first = await person.submit(found["id"], suggested)
            await person.delete(first)
            await person.submit(found["id"], [])
        case 2:
            first = await person.submit(found["id"], [])
            await person.change(first, suggested)
        case _:
            await person.submit(found["id"], suggested)


async def test_hooks_alone_end_a_job_and_five_of_one_are_one(tmp_path: Path, label_studio_url: str) -> None:
    async with (
        lossy(lost=0.0, times=5, longest_seconds=0.5) as way,
        annotating(label_studio_url) as somebody,
        served(
            tmp_path / "data", import_root=tmp_path, environment=settings(label_studio_url, way, poll_seconds=3600)
        ) as service,
        service.client() as client,
    ):
        way.to = service.url
        task = await a_label_task(client, tmp_path)
        person = somebody.of((await status(client, task)).job.tool_project)
        for found in (await person.tasks()).values():
            await person.submit(found["id"], [])
        task = await ended(client, task)
        await way.delivered()
        await service.stop()
        async with open_database(tmp_path / "data" / DOCUMENTS) as database:
            received = await database.documents(Task).count(Query(equal={"parameters.type": "receive"}))

    assert task.result.summary == {"labeled": IMAGES, "empty": IMAGES, "skipped": 0, "unanswered": 0}
    assert len(way.answers) == 5 * len(way.came) == 5 * IMAGES
    # The last hooks of a job that is closed are answered, and are nothing.
    assert 0 < received <= IMAGES
