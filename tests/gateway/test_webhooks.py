"""Webhooks over the API: made, changed, rotated, tested, and their deliveries looked at and sent again."""

from datetime import timedelta

import pytest

from schemas.outcomes import Outcome, TaskResult
from schemas.problems import Problem
from schemas.service_parameters import DeliverParameters
from schemas.tasks import Task
from schemas.webhooks import Webhook
from storage.ports import Query
from tests.factories import NOON
from tests.gateway.api import JSON, MEMBER, Api
from tests.gateway.clock import HandClock
from tests.gateway.world import PROJECT, World

URL = "https://example.org/events"


async def a_webhook(api: Api, **given: object) -> JSON:
    return await api.post("/v1/webhooks", {"url": URL, **given}, expect=201)


async def a_failed_delivery(api: Api, webhook: JSON) -> Task:
    """Have a test of a webhook fail, as a worker would."""
    delivery = await api.post(f"/v1/webhooks/{webhook['id']}/test", expect=202)
    tasks = api.services.database.documents(Task)
    task = await tasks.get(delivery["id"])
    claimed = task.claimed(by="w", at=NOON)
    result = TaskResult(summary={"attempts": [{"at": NOON.isoformat(), "status": 500, "error": "It answered 500."}]})
    problem = Problem(type="urn:x", title="x", status=422, detail="given up")
    failed = claimed.ended(Outcome(result=result, problem=problem), at=NOON)
    await tasks.replace(claimed, was=task)
    await tasks.replace(failed, was=claimed)
    return failed


async def test_a_webhook_is_made_with_a_secret_that_is_told_once(api: Api) -> None:
    made = await a_webhook(api, types=["ymir.task.failed"])

    shown = await api.get(f"/v1/webhooks/{made['id']}")
    assert made["secret"].startswith("whsec_")
    assert "secret" not in shown
    assert shown["types"] == ["ymir.task.failed"]
    assert [webhook["id"] for webhook in (await api.get("/v1/webhooks"))["items"]] == [made["id"]]


async def test_the_same_request_makes_one_webhook(api: Api) -> None:
    headers = {"Idempotency-Key": "once"}

    first = await api.post("/v1/webhooks", {"url": URL}, expect=201, headers=headers)
    second = await api.post("/v1/webhooks", {"url": URL}, expect=201, headers=headers)

    assert first == second
    assert len((await api.get("/v1/webhooks"))["items"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": "ftp://example.org/"},
        {"url": "https://me:secret@example.org/"},
        {"url": URL, "types": ["ymir.nothing"]},
        {"url": URL, "projects": ["no-such"]},
    ],
)
async def test_a_webhook_without_sense_is_refused(api: Api, body: JSON) -> None:
    refused = await api.post("/v1/webhooks", body, expect=422)

    assert refused["errors"]


async def test_a_webhook_is_changed_disabled_and_removed(api: Api) -> None:
    webhook = f"/v1/webhooks/{(await a_webhook(api))['id']}"

    changed = await api.patch(webhook, {"description": "ours", "types": ["ymir.model.created"]})
    unchanged = await api.patch(webhook, {"url": None, "description": None, "types": None})
    disabled = await api.patch(webhook, {"enabled": False})
    enabled = await api.patch(webhook, {"enabled": True})
    await api.delete(webhook)

    assert unchanged == changed
    assert (changed["description"], changed["url"]) == ("ours", URL)
    assert not disabled["enabled"]
    assert "the admin" in disabled["disabled_because"]
    assert (enabled["enabled"], enabled["types"]) == (True, ["ymir.model.created"])
    await api.get(webhook, expect=404)


async def test_a_rotation_keeps_the_secret_before_for_a_while(api: Api, clock: HandClock) -> None:
    made = await a_webhook(api)

    rotated = await api.post(f"/v1/webhooks/{made['id']}/rotate", {"overlap_hours": 1})

    webhook = await api.services.database.documents(Webhook).get(made["id"])
    assert webhook.signing(at=clock()) == (rotated["secret"], made["secret"])
    assert webhook.signing(at=clock() + timedelta(hours=2)) == (rotated["secret"],)


async def test_a_test_is_a_delivery_to_one_webhook_alone(api: Api) -> None:
    webhook, _ = await a_webhook(api), await a_webhook(api)

    delivery = await api.post(f"/v1/webhooks/{webhook['id']}/test", expect=202)

    assert (delivery["type"], delivery["position"], delivery["state"]) == ("ymir.webhook.tested", None, "queued")
    assert await api.services.database.documents(Task).count() == 1
    assert (await api.get("/v1/events"))["items"] == []


async def test_a_delivery_that_failed_is_sent_again_once_by_whoever_asks(api: Api) -> None:
    webhook = await a_webhook(api)
    failed = await a_failed_delivery(api, webhook)
    deliveries = f"/v1/webhooks/{webhook['id']}/deliveries"

    again = await api.post(f"{deliveries}/{failed.id}/redeliver", expect=202)
    same = await api.post(f"{deliveries}/{failed.id}/redeliver", expect=202)

    assert (await api.get(f"{deliveries}/{failed.id}"))["attempts"][0]["status"] == 500
    assert again["id"] == same["id"] != failed.id
    assert (again["redelivery"], again["event"]) == (1, (await api.get(f"{deliveries}/{failed.id}"))["event"])
    assert len((await api.get(f"{deliveries}?state=failed"))["items"]) == 1
    await api.get(f"{deliveries}/{'1' * 32}", expect=404)


async def test_all_that_failed_is_sent_again_in_one_call(api: Api) -> None:
    webhook, other = await a_webhook(api), await a_webhook(api)
    failed = [await a_failed_delivery(api, webhook) for _ in range(3)]
    await a_failed_delivery(api, other)

    first = await api.post(f"/v1/webhooks/{webhook['id']}/redeliver", {}, expect=202)
    second = await api.post(f"/v1/webhooks/{webhook['id']}/redeliver", {}, expect=202)

    assert (first["count"], second["count"]) == (3, 0)
    again = await api.services.database.documents(Task).list(Query(equal={"state": "queued"}))
    sent = {task.parameters.event.id for task in again.items if isinstance(task.parameters, DeliverParameters)}
    assert sent == {task.parameters.event.id for task in failed if isinstance(task.parameters, DeliverParameters)}


async def test_what_is_sent_out_of_a_project_is_for_its_administrators_to_say(api: Api, world: World) -> None:
    await a_webhook(api)
    made = await api.post("/v1/keys", {"name": "a", "projects": [{"project": PROJECT, "role": "admin"}]}, expect=201)
    theirs = api.bearing(made["secret"])

    await theirs.post("/v1/webhooks", {"url": URL}, expect=403)
    mine = await theirs.post("/v1/webhooks", {"url": URL, "projects": [PROJECT]}, expect=201)

    assert [webhook["id"] for webhook in (await theirs.get("/v1/webhooks"))["items"]] == [mine["id"]]
    assert mine["projects"] == [world.project.name]
    await theirs.patch(f"/v1/webhooks/{mine['id']}", {"projects": []}, expect=403)
    await api.bearing(MEMBER).get("/v1/webhooks", expect=403)


@pytest.mark.usefixtures("world")
async def test_nobody_asks_for_a_delivery_as_a_task(api: Api) -> None:
    await api.post(f"/v1/projects/{PROJECT}/tasks", {"type": "deliver", "webhook": "1" * 32}, expect=422)
