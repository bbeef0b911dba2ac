"""Dead letters over HTTP: for administrators only."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

import pytest
from aiohttp.test_utils import TestClient, TestServer
from typing_extensions import override

from gateway.app import build_app
from gateway.services import Services
from schemas.errors import Invalid, Unavailable
from schemas.letters import DeadLetter, ForeignMessage
from schemas.outcomes import Outcome
from schemas.problems import Problem
from schemas.service_parameters import OF_THE_SERVICE, ReceiveParameters
from schemas.tasks import Task
from storage.local_bus import LocalBus
from tests.factories import NOON, a_task
from tests.gateway.api import MEMBER, VIEWER, Api

BODY = b"<script>alert(1)</script>"


class RecordingBus(LocalBus):
    """A bus that keeps what is sent again, or fails."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[ForeignMessage] = []
        self.failure: Exception | None = None

    @override
    async def send_again(self, message: ForeignMessage) -> None:
        if self.failure is not None:
            raise self.failure
        self.sent.append(message)


class Office(NamedTuple):
    """An administrator's access to a gateway, and its bus."""

    api: Api
    bus: RecordingBus

    async def letter(self, body: bytes = BODY, *, minutes: int = 0) -> DeadLetter:
        blob = await self.api.services.blobs.put(body)
        message = ForeignMessage("ymir.tasks", "task.sample.data", body, "text/html", '{"a":1}', 0, "q", "rejected")
        letter = DeadLetter.of(message, body=blob, at=NOON + timedelta(minutes=minutes))
        await self.api.services.database.documents(DeadLetter).add(letter)
        return letter


@pytest.fixture
async def office(services: Services) -> AsyncIterator[Office]:
    bus = RecordingBus()
    async with TestClient(TestServer(build_app(replace(services, bus=bus)))) as client:
        yield Office(Api(client), bus)


async def test_the_letters_that_came_last_are_listed_first_page_by_page(office: Office) -> None:
    letters = [await office.letter(str(number).encode(), minutes=number) for number in range(3)]

    first = await office.api.get("/v1/dead-letters?limit=2")
    second = await office.api.get(f"/v1/dead-letters?limit=2&cursor={first['next']}")

    listed = [letter["id"] for page in (first, second) for letter in page["items"]]
    assert listed == [letter.id for letter in reversed(letters)]
    assert second["next"] is None


async def test_a_letter_is_shown_with_its_preview(office: Office) -> None:
    letter = await office.letter()

    shown = await office.api.get(f"/v1/dead-letters/{letter.id}")

    assert (shown["preview"], shown["exchange"], shown["times"]) == (BODY.decode(), "ymir.tasks", 1)


async def test_a_body_is_a_download_that_no_browser_runs(office: Office) -> None:
    letter = await office.letter()

    response = await office.api.raw("GET", f"/v1/dead-letters/{letter.id}/body")

    assert await response.read() == BODY
    assert response.content_type == "application/octet-stream"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Disposition"].startswith("attachment")


async def test_a_replay_sends_the_letter_to_where_it_was_sent_first_and_is_counted(office: Office) -> None:
    letter = await office.letter()
    path = f"/v1/dead-letters/{letter.id}/replay"

    await office.api.post(path, expect=202)
    replayed = await office.api.post(path, expect=202)

    message = ForeignMessage("ymir.tasks", "task.sample.data", BODY, "text/html", '{"a":1}')
    assert office.bus.sent == [message, message]
    assert (replayed["replays"], replayed["replayed_at"]) == (2, "2026-11-22T12:00:00.000Z")


@pytest.mark.parametrize(("failure", "status"), [(Unavailable("Away."), 503), (Invalid("No such exchange."), 422)])
async def test_a_replay_that_was_not_sent_is_not_counted(office: Office, failure: Exception, status: int) -> None:
    letter = await office.letter()
    office.bus.failure = failure

    await office.api.post(f"/v1/dead-letters/{letter.id}/replay", expect=status)

    assert (await office.api.get(f"/v1/dead-letters/{letter.id}"))["replays"] == 0


async def test_a_letter_that_is_removed_is_gone(office: Office) -> None:
    letter = await office.letter()

    await office.api.delete(f"/v1/dead-letters/{letter.id}")

    await office.api.get(f"/v1/dead-letters/{letter.id}", expect=404)
    await office.api.post(f"/v1/dead-letters/{letter.id}/replay", expect=404)
    await office.api.delete(f"/v1/dead-letters/{letter.id}", expect=404)


@pytest.mark.parametrize("secret", [MEMBER, VIEWER])
async def test_letters_are_for_administrators_only(office: Office, secret: str) -> None:
    letter = await office.letter()
    api, path = office.api.bearing(secret), f"/v1/dead-letters/{letter.id}"

    await api.get("/v1/dead-letters", expect=403)
    await api.get(path, expect=403)
    await api.get(f"{path}/body", expect=403)
    await api.post(f"{path}/replay", expect=403)
    await api.call("DELETE", path, expect=403)

    assert office.bus.sent == []


async def test_what_a_tool_told_and_could_not_be_taken_in_is_a_task_that_is_retried(
    api: Api, services: Services
) -> None:
    problem = Problem.of(Invalid("It cannot be read."), status=422)
    task = a_task(project=OF_THE_SERVICE, parameters=ReceiveParameters(job="0" * 32, body="{"))
    failed = task.claimed(by="worker", at=NOON).ended(Outcome(problem=problem), at=NOON)
    await services.database.documents(Task).add(failed)

    again = await api.post(f"/v1/tasks/{failed.id}/retry", expect=202)

    assert (again["retry_of"], again["state"]) == (failed.id, "queued")
    assert again["parameters"] == failed.parameters.model_dump(mode="json")
