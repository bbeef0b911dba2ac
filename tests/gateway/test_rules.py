"""Rules: when this happens, then that task, once, and it is known why."""

import asyncio
from functools import partial

import pytest
from aiohttp.test_utils import TestClient, TestServer
from pydantic import JsonValue

from gateway import ruling
from gateway.app import build_app
from gateway.errands import ERRANDS
from gateway.rules import Rules, acting_on_rules
from gateway.services import Services
from schemas.events import CloudEvent, EventType, Fact, LoggedEvent
from schemas.rules import Rule, RuleRun
from schemas.schema import new_id
from schemas.tasks import Cause, Task
from storage.following import Follower
from storage.signs import Signs
from tests.factories import NOON, a_task
from tests.gateway.api import ADMIN, JSON, MEMBER, VIEWER, Api
from tests.gateway.world import PROJECT, World

MERGE: JSON = {
    "type": "merge",
    "dataset": "train",
    "sources": [{"ref": "pool"}, {"ref": "${data.dataset}@${data.number}"}],
    "strategy": "guest",
}
RULE: JSON = {
    "name": "merge-labels",
    "project": PROJECT,
    "when": {"type": "ymir.dataset.version.created", "where": {"data.dataset": "pool"}},
    "then": MERGE,
}


async def happens(world: World, number: int = 1, *, project: str = "", **data: object) -> LoggedEvent:
    digest = f"sha256:{'0' * 64}"
    made = {"version": new_id(), "dataset": "pool", "number": number, "digest": digest}
    told = {"task": new_id(), "project": world.project.id, **made, **data}
    fact = Fact.model_validate(
        {"id": new_id(), "type": EventType.VERSION_CREATED, "subject": new_id(), "time": NOON, "data": told}
    )
    log = world.services.event_log
    await log.append([(fact, project or world.project.id)])
    return (await log.newest()).items[0]


def acting(api: Api) -> Rules:
    return Rules(api.services, api.client.app[ERRANDS])


async def tasks_of(api: Api) -> list[Task]:
    return list((await api.services.database.documents(Task).list()).items)


async def test_an_event_becomes_the_task_that_the_rule_asks_for(api: Api, world: World) -> None:
    await world.version()
    rule = await api.post("/v1/rules", RULE, expect=201)

    event = await happens(world)
    await acting(api).act([event])

    [task] = await tasks_of(api)
    assert task.parameters.model_dump(mode="json", include={"type", "dataset", "sources"}) == {
        "type": "merge",
        "dataset": "train",
        "sources": [{"ref": "pool", "split": None}, {"ref": "pool@1", "split": None}],
    }
    assert task.cause == Cause(rule=rule["id"], event=event.event.id, position=event.position, depth=1)
    assert task.created_by == "rule merge-labels"
    [run] = (await api.get(f"/v1/rules/{rule['id']}/runs"))["items"]
    assert (run["task"], run["position"]) == (task.id, event.position)


async def test_acting_twice_asks_once(api: Api, world: World) -> None:
    await world.version()
    await api.post("/v1/rules", RULE, expect=201)
    event = await happens(world)

    await asyncio.gather(*(acting(api).act([event, event]) for _ in range(3)))

    assert len(await tasks_of(api)) == 1
    assert await api.services.database.documents(RuleRun).count() == 1


@pytest.mark.parametrize(
    ("where", "matches"),
    [
        ({}, True),
        ({"data.dataset": "pool"}, True),
        ({"data.dataset": ["other", "pool"]}, True),
        ({"data.dataset": "other"}, False),
        ({"data.number": 1}, True),
        ({"data.number": True}, False),
        ({"data.absent": None}, True),
        ({"data.absent": "x"}, False),
        ({"data.dataset": "pool", "data.number": 2}, False),
        ({"data.dataset.deeper": "x"}, False),
    ],
)
async def test_a_rule_is_for_events_with_the_values_it_names(
    api: Api, world: World, where: JSON, matches: bool
) -> None:
    await world.version()
    rule = await api.post("/v1/rules", {**RULE, "when": {**RULE["when"], "where": where}}, expect=201)
    event = await happens(world)

    verdict = await api.post(f"/v1/rules/{rule['id']}/try", {"position": event.position})

    assert verdict["matches"] is matches
    assert not await tasks_of(api)


async def test_events_of_other_projects_and_a_rule_that_is_off_ask_for_nothing(api: Api, world: World) -> None:
    await world.version()
    rule = await api.post("/v1/rules", RULE, expect=201)

    await acting(api).act([await happens(world, project=new_id())])
    await api.patch(f"/v1/rules/{rule['id']}", {"enabled": False})
    await acting(api).act([await happens(world)])

    assert not await tasks_of(api)


async def test_why_there_is_no_task_is_written_down(api: Api, world: World) -> None:
    rule = await api.post("/v1/rules", RULE, expect=201)

    await acting(api).act([await happens(world, number=7)])

    [run] = (await api.get(f"/v1/rules/{rule['id']}/runs"))["items"]
    assert run["task"] is None
    assert {error["pointer"] for error in run["problem"]["errors"]} == {"/sources/0/ref", "/sources/1/ref"}


async def test_rules_that_go_round_in_a_circle_come_to_an_end(api: Api, world: World) -> None:
    await world.version()
    rule = await api.post("/v1/rules", {**RULE, "depth_at_most": 2}, expect=201)
    task = a_task(project=world.project.id, cause=Cause(rule=rule["id"], event="x", position=1, depth=2))
    await world.add(task)

    await acting(api).act([await happens(world, task=task.id)])

    [run] = (await api.get(f"/v1/rules/{rule['id']}/runs"))["items"]
    assert (run["task"], run["depth"]) == (None, 3)
    assert "circle" in run["problem"]["step"]


async def test_a_rule_may_no_more_than_a_member_of_its_project(api: Api, world: World) -> None:
    await world.version()
    await api.post("/v1/projects", {"name": "fish"}, expect=201)
    body = {
        "name": "take",
        "project": "fish",
        "when": {"type": "ymir.task.failed"},
        "then": {"type": "import", "dataset": "x", "source": {"project": PROJECT, "ref": "pool"}},
    }
    rule = await api.post("/v1/rules", body, expect=201)
    event = {"id": "1", "source": "x", "type": "ymir.task.failed", "subject": "x", "time": NOON.isoformat()}

    verdict = await api.post(f"/v1/rules/{rule['id']}/try", {"event": event})

    assert verdict["problem"]["errors"][0]["pointer"] == "/source/project"


@pytest.mark.parametrize(
    "change",
    [
        {"then": {"dataset": "x"}},
        {"then": {"type": "deliver"}},
        {"then": {"type": ["merge"]}},
        {"then": {"type": "merge", "dataset": "x" * 70_000}},
        {"then": {"type": "merge", "dataset": [float("inf")]}},
        {"then": {"type": "merge", "dataset": "${body.x}"}},
        {"then": {"type": "merge", "dataset": "${data}"}},
        {"when": {"type": "ymir.webhook.tested"}},
        {"when": {"type": "ymir.task.failed", "where": {"nothing": 1}}},
        {"project": "no-such"},
        {"depth_at_most": 100},
    ],
)
@pytest.mark.usefixtures("world")
async def test_a_rule_without_sense_is_refused(api: Api, change: JSON) -> None:
    await api.post("/v1/rules", {**RULE, **change}, expect=404 if "project" in change else 422)


async def test_rules_are_for_administrators_to_change_and_for_all_to_see(api: Api, world: World) -> None:
    await api.bearing(MEMBER).post("/v1/rules", RULE, expect=403)
    rule = await api.post("/v1/rules", RULE, expect=201)
    await api.post("/v1/rules", RULE, expect=409)

    assert [one["name"] for one in (await api.bearing(VIEWER).get("/v1/rules"))["items"]] == ["merge-labels"]
    assert (await api.bearing(VIEWER).get(f"/v1/rules?project={PROJECT}"))["items"]
    await api.bearing(MEMBER).patch(f"/v1/rules/{rule['id']}", {"enabled": False}, expect=403)
    await api.delete(f"/v1/rules/{rule['id']}")
    await api.get(f"/v1/rules/{rule['id']}", expect=404)
    assert not await world.services.database.documents(Rule).count()


async def test_a_gateway_that_acts_on_rules_does_so_by_itself(services: Services, world: World) -> None:
    await world.version()
    async with TestClient(TestServer(acting_on_rules(build_app(services)))) as client:
        api = Api(client, ADMIN)
        await api.post("/v1/rules", RULE, expect=201)
        async with asyncio.timeout(10):
            event = await happens(world)
            while not await tasks_of(api):
                await services.bus.publish([event.event])
                await asyncio.sleep(0.05)

    assert (await tasks_of(api))[0].cause is not None


async def test_a_gateway_that_is_killed_between_a_task_and_its_run_has_asked_once(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.version()
    rule = await api.post("/v1/rules", RULE, expect=201)
    follower = partial(
        Follower,
        "rules",
        database=world.services.database,
        event_log=world.services.event_log,
        signs=Signs(world.services.bus),
    )
    await follower(acting(api).act).follow()
    await happens(world)

    with monkeypatch.context() as patched:
        # It ends between the two writes, and its bookmark stays where it was.
        patched.setattr(api.services.database.documents(RuleRun), "add", killed)
        with pytest.raises(asyncio.CancelledError):
            await follower(acting(api).act).follow()
    left = await tasks_of(api)
    runs = await api.services.database.documents(RuleRun).count()
    await follower(acting(api).act).follow()

    assert (len(left), runs) == (1, 0)
    assert [task.id for task in await tasks_of(api)] == [left[0].id]
    [run] = (await api.get(f"/v1/rules/{rule['id']}/runs"))["items"]
    assert (run["task"], run["problem"]) == (left[0].id, None)


async def killed(_: RuleRun) -> None:
    raise asyncio.CancelledError


async def test_an_event_on_which_a_rule_breaks_keeps_no_other_waiting(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.version()
    rule = await api.post("/v1/rules", RULE, expect=201)
    first, second = await happens(world), await happens(world)
    filled = ruling.filled_in

    def breaks(rule: Rule, event: CloudEvent) -> dict[str, JsonValue]:
        if event.id == first.event.id:
            raise RuntimeError
        return filled(rule, event)

    monkeypatch.setattr("gateway.rules.filled_in", breaks)
    await acting(api).act([first, second])

    newest, oldest = sorted((await api.get(f"/v1/rules/{rule['id']}/runs"))["items"], key=lambda run: -run["position"])
    assert (oldest["task"], oldest["problem"]["status"]) == (None, 500)
    assert newest["task"] is not None
