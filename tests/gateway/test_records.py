"""Evaluations, executors and events over HTTP."""

from datetime import datetime

import pytest

from schemas.events import EventType, Fact
from schemas.schema import new_id
from tests.factories import NOON
from tests.gateway.api import Api
from tests.gateway.world import PROJECT, World


async def test_an_evaluation_is_shown_with_its_figures(api: Api, world: World) -> None:
    version = await world.version()
    evaluation = await world.evaluation(version)
    path = f"/v1/projects/{PROJECT}/evaluations"

    listed = await api.get(f"{path}?version={version.id}&layer=detector@best")
    shown = await api.get(f"{path}/{evaluation.id}")
    await api.get(f"{path}/{new_id()}", expect=404)

    assert [found["id"] for found in listed["items"]] == [evaluation.id]
    assert shown["figures"]["classes"][0]["class_name"] == "robin"


async def test_what_belongs_to_another_project_is_not_found(api: Api, world: World) -> None:
    version = await world.version()
    model, evaluation, job = await world.model(), await world.evaluation(version), await world.job(version)
    await api.post("/v1/projects", {"name": "other"}, expect=201)

    for path in (f"models/{model.id}", f"evaluations/{evaluation.id}", f"labeling/{job.id}"):
        await api.get(f"/v1/projects/other/{path}", expect=404)


async def test_executors_are_registered_changed_and_forgotten(api: Api) -> None:
    submission = {"name": "detector", "reference": "/executors/detector"}
    made = await api.post("/v1/executors", submission, expect=201)
    await api.post("/v1/executors", submission, expect=409)

    changed = await api.patch("/v1/executors/detector", {"description": "small"})
    listed = await api.get("/v1/executors")
    await api.delete("/v1/executors/detector")

    assert set(made["templates"]) == {"training", "infer"}
    assert (changed["description"], changed["generation"]) == ("small", 1)
    assert listed["items"] == [changed]
    await api.get("/v1/executors/detector", expect=404)


def a_fact(event_type: EventType, at: datetime = NOON) -> Fact:
    return Fact(id=new_id(), type=event_type, subject=new_id(), time=at)


async def test_events_are_read_in_order_from_a_position(api: Api, world: World) -> None:
    facts = [a_fact(kind) for kind in (EventType.TASK_QUEUED, EventType.TASK_STARTED, EventType.MODEL_CREATED)]
    await api.services.event_log.append([(fact, world.project.id) for fact in facts])
    await api.services.event_log.append([(a_fact(EventType.TASK_QUEUED), new_id())])

    page = await api.get("/v1/events?limit=2")
    rest = await api.get(f"/v1/events?limit=2&cursor={page['next']}")
    after = await api.get("/v1/events?after=3")
    started = await api.get("/v1/events?type=ymir.task.started&type=ymir.model.created")
    ours = await api.get(f"/v1/events?project={PROJECT}")
    last = await api.get("/v1/events?last=true")

    assert [item["position"] for item in page["items"] + rest["items"]] == [1, 2, 3, 4]
    assert ([item["position"] for item in after["items"]], rest["next"]) == ([4], None)
    assert [item["position"] for item in started["items"]] == [2, 3]
    assert [item["position"] for item in ours["items"]] == [1, 2, 3]
    assert ([item["position"] for item in last["items"]], last["next"]) == ([4], None)


async def test_an_empty_log_has_no_last_event(api: Api) -> None:
    assert (await api.get("/v1/events?last=true"))["items"] == []


async def test_a_position_that_is_no_longer_kept_is_gone(api: Api, world: World) -> None:
    log = api.services.event_log
    later = NOON.replace(hour=13)
    await log.append([(a_fact(EventType.TASK_QUEUED), world.project.id) for _ in range(3)])
    await log.append([(a_fact(EventType.TASK_QUEUED, later), world.project.id)])
    await log.trim(later)

    problem = await api.get("/v1/events?after=1", expect=410)
    page = await api.get("/v1/events?after=3")

    assert "position 4" in problem["detail"]
    assert "after=3" in problem["step"]
    assert [item["position"] for item in page["items"]] == [4]
    assert (await api.get("/v1/events"))["items"] == page["items"]


@pytest.mark.parametrize("query", ["after=-1", "after=x", "cursor=x", "type=sung", "limit=0", "limit=2&limit=3"])
async def test_a_malformed_question_for_events_is_refused(api: Api, query: str) -> None:
    await api.get(f"/v1/events?{query}", expect=422)
