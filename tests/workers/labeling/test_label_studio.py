"""Label Studio as a labeling tool: against a real server, which people use over its own API."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from schemas.annotations import GROUND_TRUTH
from schemas.errors import Invalid, Unavailable
from schemas.exchange_parameters import LabelParameters
from schemas.labeling import ItemState, JobState, LabelingItem, LabelingJob
from schemas.outcomes import Outcome, Pause
from schemas.service_parameters import ReceiveParameters
from schemas.task_states import TaskState
from schemas.tasks import Task
from storage.datasets.rows import AnnotationRow
from storage.labeling.settings import LabelingSettings, ToolKind, ToolSettings
from storage.local_bus import LocalBus
from storage.ports import Query
from tests.factories import NOON
from tests.servers.label_studio import TOKEN, USER
from tests.servers.process import free_port
from tests.servers.studio_annotator import Annotator, annotating, rectangle
from tests.workers.loop_world import CAT, DOG, World, a_world
from workers.handlers.label import label
from workers.handlers.receive import receive
from workers.labeling import label_studio, label_studio_tasks
from workers.labeling.jobs import job_id
from workers.labeling.label_studio import LabelStudio
from workers.labeling.using import LabelingTools
from workers.work import Work

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SIZE = (100, 80)
GATEWAY = "http://127.0.0.1:9"
MIDDLE = {"x": 10, "y": 25, "width": 50, "height": 50}


class Studio:
    """A world whose label tasks use Label Studio, and the person who labels there."""

    def __init__(self, world: World, session: ClientSession, annotator: Annotator, url: str) -> None:
        self.world = world
        self.session = session
        self.person = annotator
        self.url = url
        self.now = NOON
        self.tool = self.speaking(url)

    def speaking(self, url: str, token: str = TOKEN) -> LabelStudio:
        settings = ToolSettings(kind=ToolKind.LABEL_STUDIO, url=url, token=SecretStr(token))
        return LabelStudio(settings, self.session)

    async def work(self, *labels: Iterable[AnnotationRow] | None, **changes: object) -> Work[LabelParameters]:
        content = await self.world.pictures([None if label is None else [*label] for label in labels])
        asked = {"dataset": "answers", "source": "any", "tool": "studio", "classes": ("cat", "dog"), **changes}
        version = await self.world.version(content)
        work = self.world.work(LabelParameters.model_validate(asked), {"/source": version})
        return Work(work.task, work.parameters, scratch=work.scratch, now=lambda: self.now)

    async def run(
        self, work: Work[LabelParameters], *, tool: LabelStudio | None = None, gateway: str = GATEWAY
    ) -> Outcome | Pause:
        """Run the task's next step, and remember it as the consumer does."""
        world, settings = self.world, LabelingSettings(public_url=gateway)
        tools = LabelingTools({"studio": tool or self.tool}, settings, world.database)
        result = await label(work, library=world.library, database=world.database, blobs=world.blobs, tools=tools)
        if isinstance(result, Pause):
            work.task = work.task.model_copy(update={"step": result.step})
        return result

    async def opened(self, work: Work[LabelParameters]) -> tuple[Annotator, list[dict[str, Any]]]:
        """Open the job; return the person at its project, and its tasks in the order of the items."""
        pause = await self.run(work)
        assert isinstance(pause, Pause), pause
        assert pause.waiting_for == "answers", pause
        job = await self.job(work)
        person = self.person.of(job.tool_project)
        tasks = await person.tasks()
        return person, [tasks[item.asset] for item in await self.items(work)]

    async def job(self, work: Work[LabelParameters]) -> LabelingJob:
        return await self.world.database.documents(LabelingJob).get(job_id(work.task.id))

    async def items(self, work: Work[LabelParameters]) -> list[LabelingItem]:
        query = Query(equal={"job": job_id(work.task.id)})
        return list((await self.world.database.documents(LabelingItem).list(query, order="position")).items)

    async def states(self, work: Work[LabelParameters]) -> list[ItemState]:
        return [item.state for item in await self.items(work)]

    async def close(self, work: Work[LabelParameters]) -> None:
        job = await self.job(work)
        closed = job.successor(state=JobState.CLOSED, closed_at=self.now)
        await self.world.database.documents(LabelingJob).replace(closed, was=job)


@pytest.fixture
async def studio(tmp_path: Path, label_studio_url: str) -> AsyncIterator[Studio]:
    async with a_world(tmp_path) as world, ClientSession() as session, annotating(label_studio_url) as annotator:
        yield Studio(world, session, annotator, label_studio_url)


async def test_a_job_becomes_a_project_that_asks_for_its_classes_and_ends_in_a_version(studio: Studio) -> None:
    asked = {"instructions": "See https://example.org/guide?a=1&b=2\nthen draw.", "labelers": ["bob@example.org"]}
    work = await studio.work([CAT], None, None, **asked)

    person, (one, two, three) = await studio.opened(work)
    project = await person.call("GET", f"/api/projects/{person.project}/")
    await person.submit(one["id"], [rectangle("dog", MIDDLE, size=SIZE)])
    await person.submit(two["id"], [])
    await person.skip(three["id"])
    outcome = await studio.run(work)

    assert set(project["parsed_label_config"]) == {"rectangle"}
    assert project["parsed_label_config"]["rectangle"]["labels"] == ["cat", "dog"]
    assert '<a href="https://example.org/guide?a=1&amp;b=2"' in project["expert_instruction"]
    assert "bob@example.org" in project["description"]
    assert (await studio.job(work)).tool_address == f"{studio.url}/projects/{person.project}"
    assert one["data"]["image"].startswith(f"{GATEWAY}/v1/labeling/{job_id(work.task.id)}/images/")
    assert isinstance(outcome, Outcome)
    assert outcome.result.summary == {"labeled": 2, "empty": 1, "skipped": 1, "unanswered": 0}
    rows = await studio.world.rows(outcome)
    assert rows[two["data"]["asset"]].layers[GROUND_TRUTH] == ()
    (drawn,) = rows[one["data"]["asset"]].layers[GROUND_TRUTH]
    assert (drawn.class_name, drawn.box, drawn.author) == ("dog", (10.0, 20.0, 50.0, 40.0), USER)
    assert await person.hooks() == []


async def test_what_is_kept_is_shown_and_comes_back_exactly_with_ids_and_authors(studio: Studio) -> None:
    odd = AnnotationRow("cat", (1 / 3, 2 / 7, 10.1, 12.9), rotation=0.3, author="ann", attributes='{"wet":true}')
    work = await studio.work([odd, DOG], keep=GROUND_TRUTH)

    person, (task,) = await studio.opened(work)
    project = await person.call("GET", f"/api/projects/{person.project}/")
    kept, moved = task["predictions"][0]["result"]
    moved["value"]["x"] += 1
    await person.submit(task["id"], [kept, moved])
    outcome = await studio.run(work)

    assert project["model_version"] == task["predictions"][0]["model_version"]
    assert isinstance(outcome, Outcome)
    (item,) = await studio.items(work)
    by_id = {suggestion.id: suggestion for suggestion in item.suggestions}
    assert [annotation.id for annotation in item.annotations] == [kept["id"], moved["id"]]
    assert item.annotations[0] == by_id[kept["id"]]
    assert item.annotations[0].author == "ann"
    assert item.annotations[1].author == USER
    assert item.annotations[1].box is not None
    assert item.annotations[1].box.x == pytest.approx(DOG.box[0] + 1 if DOG.box else None)


async def test_opening_again_after_it_was_killed_at_any_point_doubles_nothing(studio: Studio) -> None:
    work = await studio.work([CAT], None, None)
    person, tasks = await studio.opened(work)
    await person.call("DELETE", f"/api/tasks/{tasks[1]['id']}/")  # as if it had been killed before this one
    (hook,) = await person.call("GET", "/api/webhooks/", project=person.project)
    await person.call("DELETE", f"/api/webhooks/{hook['id']}/")
    await person.call("POST", f"/api/projects/{person.project}/import", [{"data": tasks[0]["data"]}])
    work.task = work.task.model_copy(update={"step": ""})

    again, _ = await studio.opened(work)
    work.task = work.task.model_copy(update={"step": ""})
    _, last = await studio.opened(work)

    assert again.project == person.project
    assert len(await person.projects(job_id(work.task.id))) == 1
    assert len(last) == 3
    assert await person.hooks() == [hook["url"]]


async def test_what_is_changed_taken_back_and_corrected_in_the_tool_is_followed(studio: Studio) -> None:
    work = await studio.work(None, None)
    person, (one, two) = await studio.opened(work)

    first = await person.submit(one["id"], [rectangle("cat", MIDDLE, size=SIZE)])
    await studio.run(work)
    labeled = await studio.states(work)
    await person.delete(first)
    await studio.run(work)
    reopened = await studio.states(work)
    wrong = await person.submit(one["id"], [rectangle("cow", MIDDLE, size=SIZE)])
    await studio.run(work)
    refused = (await studio.items(work))[0]
    await person.change(wrong, [rectangle("cat", MIDDLE, size=SIZE)])
    await person.skip(two["id"])
    outcome = await studio.run(work)

    assert (labeled, reopened) == ([ItemState.LABELED, ItemState.OPEN], [ItemState.OPEN, ItemState.OPEN])
    assert refused.state is ItemState.OPEN
    assert refused.refused == "The job has no class 'cow'. It has: cat, dog."
    assert isinstance(outcome, Outcome)
    assert outcome.result.summary == {"labeled": 1, "empty": 0, "skipped": 1, "unanswered": 0}


async def test_a_job_that_is_closed_early_takes_what_the_tool_has_at_that_moment(studio: Studio) -> None:
    work = await studio.work(None, None)
    person, (one, two) = await studio.opened(work)

    await person.submit(one["id"], [rectangle("cat", MIDDLE, size=SIZE)])
    await person.submit(two["id"], [rectangle("cow", MIDDLE, size=SIZE)])
    await studio.close(work)
    outcome = await studio.run(work)

    assert isinstance(outcome, Outcome)
    assert outcome.result.summary == {"labeled": 1, "empty": 0, "skipped": 0, "unanswered": 1}
    (finding,) = (await studio.world.report(outcome)).findings
    assert finding.detail == "was answered with what cannot be kept: The job has no class 'cow'. It has: cat, dog."


async def test_a_tool_that_is_away_for_an_hour_is_waited_for(studio: Studio) -> None:
    work = await studio.work(None)
    away = studio.speaking(f"http://127.0.0.1:{free_port()}")

    for _ in range(60):
        pause = await studio.run(work, tool=away)
        assert isinstance(pause, Pause)
        assert pause.until is not None
        studio.now = pause.until
    person, (task,) = await studio.opened(work)
    await person.submit(task["id"], [])
    for _ in range(60):
        pause = await studio.run(work, tool=away)
        assert isinstance(pause, Pause)
        assert "does not answer" in pause.waiting_for
        assert pause.until is not None
        studio.now = pause.until
    outcome = await studio.run(work)

    assert studio.now - NOON == timedelta(hours=2)
    assert isinstance(outcome, Outcome)
    assert outcome.result.summary["empty"] == 1


async def test_a_closed_job_does_not_wait_for_ever_for_a_tool_that_is_gone(studio: Studio) -> None:
    work = await studio.work(None, None)
    person, (one, _) = await studio.opened(work)
    await person.submit(one["id"], [])
    await studio.run(work)
    await studio.close(work)
    away = studio.speaking(f"http://127.0.0.1:{free_port()}")

    waiting = await studio.run(work, tool=away)
    studio.now += timedelta(hours=25)
    outcome = await studio.run(work, tool=away)

    assert isinstance(waiting, Pause)
    assert isinstance(outcome, Outcome)
    assert outcome.result.summary["labeled"] == 1
    assert "does not answer" in outcome.warnings[0]


async def test_a_token_that_is_not_taken_names_the_setting(studio: Studio) -> None:
    work = await studio.work(None)

    with pytest.raises(Invalid, match="does not take the token") as refused:
        await studio.run(work, tool=studio.speaking(studio.url, "x" * 40))

    assert "YMIR_LABELING_TOOLS" in refused.value.step


async def test_a_personal_access_token_is_as_good(studio: Studio) -> None:
    personal = (await studio.person.call("POST", "/api/token/", {}))["token"]
    work = await studio.work(None)
    tool = studio.speaking(studio.url, personal)

    await studio.run(work, tool=tool)
    pause = await studio.run(work, tool=tool)
    await studio.person.call("POST", "/api/token/blacklist/", {"refresh": personal})

    assert isinstance(pause, Pause)
    assert pause.waiting_for == "answers: 0 of 1 are there"


async def test_a_job_whose_hook_the_tool_does_not_take_is_followed_all_the_same(studio: Studio) -> None:
    work = await studio.work(None)

    pause = await studio.run(work, gateway="no address")

    assert isinstance(pause, Pause)
    person = studio.person.of((await studio.job(work)).tool_project)
    assert await person.hooks() == []
    (task,) = (await person.tasks()).values()
    await person.submit(task["id"], [])
    assert isinstance(await studio.run(work), Outcome)


async def test_a_project_that_was_deleted_is_said_and_the_job_can_be_closed(studio: Studio) -> None:
    work = await studio.work(None, None)
    person, (one, _) = await studio.opened(work)
    await person.submit(one["id"], [])
    await studio.run(work)
    await person.call("DELETE", f"/api/projects/{person.project}/")

    said = await studio.run(work)
    await studio.close(work)
    outcome = await studio.run(work)

    assert isinstance(said, Pause)
    assert "is gone from Label Studio" in said.waiting_for
    assert isinstance(outcome, Outcome)
    assert outcome.result.summary["labeled"] == 1


async def test_changes_are_read_a_page_at_a_time_and_only_once(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    for reading in ("LIGHT", "WHOLE"):
        usual = getattr(label_studio, reading)
        monkeypatch.setattr(label_studio, reading, usual._replace(page=2))
    monkeypatch.setattr(label_studio_tasks, "OVERLAP", timedelta(seconds=-60))  # settled at once
    work = await studio.work(*[None] * 7)
    person, tasks = await studio.opened(work)
    for task in tasks[:5]:
        await person.submit(task["id"], [])

    first = [told async for told in studio.tool.answers(await studio.job(work))]
    job = (await studio.job(work)).successor(tool_cursor=first[-1].cursor)
    nothing = [told async for told in studio.tool.answers(job)]
    await person.submit(tasks[5]["id"], [])
    new = [told async for told in studio.tool.answers(job)]

    assert len({answer.asset for told in first for answer in told.answers}) == 5
    assert nothing == []
    assert [answer.asset for told in new for answer in told.answers] == [tasks[5]["data"]["asset"]]


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b'{"task": {"id": "1"}}', b'{"task": {"id": 999999999}}'])
async def test_a_hook_that_says_nothing_is_nothing(studio: Studio, body: bytes) -> None:
    work = await studio.work(None)
    await studio.opened(work)

    told = await studio.tool.heard(await studio.job(work), body)

    assert not told.answers
    assert not told.unfit


async def test_a_hook_of_another_project_is_not_heard(studio: Studio) -> None:
    work, other = await studio.work(None), await studio.work(None)
    await studio.opened(work)
    _, (task,) = await studio.opened(other)

    told = await studio.tool.heard(await studio.job(work), b'{"task": {"id": %d}}' % task["id"])

    assert not told.answers


async def test_a_server_that_is_no_label_studio_is_unavailable(studio: Studio) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n<html")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        work = await studio.work(None)
        await studio.opened(work)

        with pytest.raises(Unavailable, match="something else than JSON"):
            await studio.speaking(f"http://127.0.0.1:{port}").heard(await studio.job(work), b'{"task": {"id": 1}}')


async def test_a_hook_of_a_task_that_was_cancelled_closes_its_job_in_the_tool_too(studio: Studio) -> None:
    work = await studio.work(None)
    person, (task,) = await studio.opened(work)
    world = studio.world
    cancelled = work.task.model_copy(update={"state": TaskState.CANCELLED})
    await world.database.documents(Task).add(cancelled)
    job = await studio.job(work)
    heard = world.work(ReceiveParameters(job=job.id, body=f'{{"task": {{"id": {task["id"]}}}}}'))
    tools = LabelingTools({"studio": studio.tool}, LabelingSettings(), world.database)

    outcome = await receive(heard, database=world.database, blobs=world.blobs, bus=LocalBus(), tools=tools)

    assert outcome.cancelled
    assert (await studio.job(work)).state is JobState.CLOSED
    assert await person.hooks() == []
