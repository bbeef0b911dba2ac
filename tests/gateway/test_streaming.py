"""Events as a stream: as they come, from where it broke, with a sign of life between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random

import pytest
from aiohttp import ClientResponse

from gateway.settings import GatewaySettings
from schemas.events import CloudEvent, EventType, Fact
from schemas.keys import ApiKey, Grant, Role, secret_digest
from schemas.schema import new_id
from storage.event_log import EventLog
from tests.factories import NOON
from tests.gateway.api import ADMIN, Api

STREAM = {"Accept": "text/event-stream"}
MINE, OTHERS = new_id(), new_id()


@pytest.fixture
def settings(settings: GatewaySettings) -> GatewaySettings:
    return settings.model_copy(update={"heartbeat_seconds": 0.1, "streams_at_most": 2})


async def happens(api: Api, number: int, *, project: str = MINE) -> None:
    fact = Fact(id=new_id(), type=EventType.TASK_QUEUED, subject=str(number), time=NOON + timedelta(seconds=number))
    appended = await api.services.event_log.append([(fact, project)])
    await api.services.bus.publish(appended)


@asynccontextmanager
async def streaming(api: Api, path: str = "/v1/events", **headers: str) -> AsyncIterator[ClientResponse]:
    given = {"Authorization": f"Bearer {api.secret}", **STREAM, **headers}
    async with asyncio.timeout(10), api.client.get(path, headers=given) as response:
        yield response


async def message(response: ClientResponse) -> dict[str, str]:
    """Return the next event of a stream; comments are passed over."""
    fields: dict[str, str] = {}
    async for line in response.content:
        text = line.decode().rstrip("\n")
        if not text and "data" in fields:
            return fields
        name, _, value = text.partition(": ")
        fields |= {name: value} if name else {}
    raise AssertionError


async def test_what_happens_comes_at_once_and_in_order(api: Api) -> None:
    await happens(api, 1)

    async with streaming(api) as response:
        assert response.content_type == "text/event-stream"
        await response.content.readline()
        await happens(api, 2)
        await happens(api, 3)
        came = [await message(response), await message(response)]

    assert [CloudEvent.model_validate_json(one["data"]).subject for one in came] == ["2", "3"]
    assert [(one["id"], one["event"]) for one in came] == [("2", "ymir.task.queued"), ("3", "ymir.task.queued")]


async def test_a_stream_goes_on_after_the_last_event_that_came(api: Api) -> None:
    for number in range(1, 6):
        await happens(api, number)

    async with streaming(api, **{"Last-Event-ID": "2"}) as response:
        came = [(await message(response))["id"] for _ in range(3)]

    assert came == ["3", "4", "5"]


async def test_while_twenty_write_a_stream_that_breaks_again_and_again_brings_everything_once(api: Api) -> None:
    chance, subjects = Random(0), [str(number) for number in range(200)]
    came: list[tuple[int, str]] = []

    async def write(mine: list[str]) -> None:
        log = EventLog(api.services.database, api.services.event_log.source)
        for subject in mine:
            fact = Fact(id=new_id(), type=EventType.TASK_QUEUED, subject=subject, time=NOON)
            await api.services.bus.publish(await log.append([(fact, MINE)]))

    async def follow() -> None:
        while len(came) < len(subjects):
            async with streaming(api, **{"Last-Event-ID": str(came[-1][0] if came else 0)}) as response:
                for _ in range(min(chance.randrange(1, 20), len(subjects) - len(came))):
                    one = await message(response)
                    came.append((int(one["id"]), CloudEvent.model_validate_json(one["data"]).subject))

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(follow())
        for number in range(20):
            group.create_task(write(subjects[number::20]))

    assert [position for position, _ in came] == list(range(1, len(subjects) + 1))
    assert sorted(subject for _, subject in came) == sorted(subjects)


async def test_a_stream_that_nobody_published_to_finds_events_in_the_log(api: Api) -> None:
    async with streaming(api) as response:
        await response.content.readline()
        fact = Fact(id=new_id(), type=EventType.TASK_QUEUED, subject="x", time=NOON)
        await api.services.event_log.append([(fact, MINE)])

        assert (await message(response))["id"] == "1"


async def test_only_what_is_asked_for_and_may_be_seen_comes(api: Api) -> None:
    grants = (Grant(project=MINE, name="mine", role=Role.VIEWER),)
    fields = {"id": new_id(), "name": "v", "secret": secret_digest("narrow"), "created_at": NOON}
    await api.services.database.documents(ApiKey).add(ApiKey.model_validate({**fields, "grants": grants}))

    async with streaming(api.bearing("narrow"), "/v1/events?type=ymir.task.queued&after=0") as response:
        await happens(api, 1, project=OTHERS)
        await happens(api, 2)

        assert (await message(response))["id"] == "2"


async def test_a_stream_says_that_it_is_there_and_ends_with_its_key(api: Api) -> None:
    made = await api.post("/v1/keys", {"name": "brief", "role": "viewer"}, expect=201)

    async with streaming(api.bearing(made["secret"])) as response:
        while not (await response.content.readline()).startswith(b": "):
            pass
        await api.delete(f"/v1/keys/{made['id']}")
        rest = await response.content.read()

    assert b"data" not in rest


async def test_there_are_not_more_streams_than_there_may_be(api: Api) -> None:
    async with streaming(api) as one, streaming(api) as two:
        assert (one.status, two.status) == (200, 200)
        async with streaming(api) as three:
            assert three.status == 503
            assert three.headers["Retry-After"]

    async with streaming(api) as again:
        assert again.status == 200


@pytest.mark.parametrize("identity", ["x", "-1", "9" * 30])
async def test_an_id_that_is_none_of_this_stream_is_refused(api: Api, identity: str) -> None:
    async with streaming(api, **{"Last-Event-ID": identity}) as response:
        assert response.status == 400


async def test_without_a_key_nothing_is_streamed(api: Api) -> None:
    async with streaming(api.bearing("wrong")) as response:
        assert response.status == 401
    assert api.secret == ADMIN
