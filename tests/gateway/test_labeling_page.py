"""The program of docs/labeling.md labels what is to be labeled."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient, TestServer, unused_port

from gateway.app import build_app
from gateway.services import Services
from schemas.labeling import ItemState, JobState, LabelingItem, LabelingJob
from storage.ports import Query
from tests.gateway.api import ADMIN
from tests.gateway.world import PROJECT, World, a_picture

PAGE = Path(__file__).parents[2] / "docs" / "labeling.md"
BOX = {"x": 1, "y": 2, "width": 10, "height": 12}


def example() -> dict[str, Any]:
    """Return the names that the page's program defines."""
    code = re.search(r"```python label\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code[1], str(PAGE), "exec"), names)  # noqa: S102 - ours
    return names


async def test_the_program_answers_every_open_item_of_jobs_that_are_its_own(services: Services, world: World) -> None:
    job = await world.job(await world.version())
    other = await world.job(await world.version("other"), tool="studio")
    seen: list[bytes] = []

    def annotate(image: bytes, item: dict[str, Any], asked: dict[str, Any]) -> list[dict[str, Any]] | None:
        seen.append(image)
        return None if item["position"] == 0 else [{"class": asked["classes"][0], "box": BOX}]

    port = unused_port()
    here = services.settings.model_copy(update={"public_url": f"http://127.0.0.1:{port}"})
    async with TestClient(TestServer(build_app(replace(services, settings=here)), port=port)):
        names = example()
        service = names["Service"](f"http://127.0.0.1:{port}", ADMIN)
        done = await asyncio.to_thread(names["label"], service, PROJECT, annotate, author="ann")
        again = await asyncio.to_thread(names["label"], service, PROJECT, annotate, author="ann")

    items = services.database.documents(LabelingItem)
    found = (await items.list(Query(equal={"job": job.id}), order="position")).items
    assert (done, again) == (3, 0)
    assert seen == [a_picture(shade) for shade in (10, 20, 30)]
    assert [item.state for item in found] == [ItemState.SKIPPED, ItemState.LABELED, ItemState.LABELED]
    assert found[1].annotations[0].author == "ann"
    jobs = services.database.documents(LabelingJob)
    assert [(await jobs.get(one.id)).state for one in (job, other)] == [JobState.CLOSED, JobState.OPEN]
