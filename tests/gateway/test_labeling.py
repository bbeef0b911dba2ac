"""Labeling jobs over HTTP."""

import hashlib

import pytest

from schemas.labeling import ItemState, LabelingItem, LabelingJob
from schemas.outcomes import Outcome
from schemas.task_states import TaskState
from schemas.tasks import Task
from storage.ports import Query
from tests.factories import NOON
from tests.gateway.api import JSON, VIEWER, Api
from tests.gateway.world import HEIGHT, PROJECT, WIDTH, World, a_picture

BOX = {"class": "robin", "box": {"x": 1, "y": 2, "width": 10, "height": 12}}


@pytest.fixture
async def job(world: World) -> LabelingJob:
    return await world.job(await world.version())


def asset(shade: int) -> str:
    return hashlib.sha256(a_picture(shade)).hexdigest()


def answers(*shades: int, **changes: object) -> JSON:
    return {"answers": [{"asset": asset(shade), "annotations": [BOX], **changes} for shade in shades]}


def path(job: LabelingJob, rest: str = "") -> str:
    return f"/v1/projects/{PROJECT}/labeling/{job.id}{rest}"


async def test_a_job_is_listed_and_shown_with_its_items(api: Api, job: LabelingJob) -> None:
    listed = await api.get(f"/v1/projects/{PROJECT}/labeling?state=open&task={job.task}")
    shown = await api.get(path(job))
    first = await api.get(path(job, "/items?limit=2"))
    second = await api.get(path(job, f"/items?limit=2&cursor={first['next']}"))

    assert [found["id"] for found in listed["items"]] == [job.id]
    assert (shown["open"], shown["labeled"], shown["skipped"]) == (3, 0, 0)
    assert [item["asset"] for item in first["items"] + second["items"]] == [asset(shade) for shade in (10, 20, 30)]
    assert second["next"] is None


async def test_the_links_of_items_work_without_a_key(api: Api, job: LabelingJob) -> None:
    items = (await api.get(path(job, "/items")))["items"]

    link = items[0]["image"].removeprefix(api.services.settings.public_url)
    image = await api.bearing("").raw("GET", link, headers={})

    assert await image.read() == a_picture(10)


async def test_a_job_whose_items_are_all_answered_closes_and_wakes_its_task(api: Api, job: LabelingJob) -> None:
    partly = await api.post(path(job, "/annotations"), answers(10, 20))

    wholly = await api.post(path(job, "/annotations"), answers(30, state="skipped", annotations=[]))

    assert (partly["open"], partly["labeled"], partly["job"]["state"]) == (1, 2, "open")
    assert (wholly["open"], wholly["skipped"], wholly["job"]["state"]) == (0, 1, "closed")
    assert (await api.services.database.documents(Task).get(job.task)).state is TaskState.QUEUED


async def test_the_last_answer_counts_and_a_repeated_one_changes_nothing(api: Api, job: LabelingJob) -> None:
    await api.post(path(job, "/annotations"), answers(10))
    await api.post(path(job, "/annotations"), answers(10))

    status = await api.post(path(job, "/annotations"), answers(10, state="skipped", annotations=[]))

    found = await api.services.database.documents(LabelingItem).list(Query(equal={"job": job.id, "asset": asset(10)}))
    assert (status["labeled"], status["skipped"]) == (0, 1)
    assert (found.items[0].state, found.items[0].generation) == (ItemState.SKIPPED, 2)


async def test_an_empty_image_is_labeled_and_no_skipped_one(api: Api, job: LabelingJob) -> None:
    status = await api.post(path(job, "/annotations"), answers(10, annotations=[]))

    assert (status["labeled"], status["skipped"]) == (1, 0)


async def test_an_alias_becomes_its_main_name_and_the_key_is_the_author(api: Api, job: LabelingJob) -> None:
    await api.patch(f"/v1/projects/{PROJECT}/classes/robin", {"aliases": ["redbreast"]})

    await api.post(path(job, "/annotations"), answers(10, annotations=[{**BOX, "class": "Redbreast"}]))

    item = (await api.get(path(job, "/items?state=labeled")))["items"][0]
    assert (item["annotations"][0]["class"], item["author"]) == ("robin", "the admin")


@pytest.mark.parametrize(
    ("annotation", "pointer"),
    [
        ({**BOX, "class": "eagle"}, "/answers/0/annotations/0/class"),
        ({"box": BOX["box"]}, "/answers/0/annotations/0/class"),
        ({"class": "robin"}, "/answers/0/annotations/0/box"),
        ({**BOX, "box": {"x": 1, "y": 2, "width": WIDTH + 1, "height": 4}}, "/answers/0/annotations/0/box"),
        ({**BOX, "box": {"x": -2, "y": 2, "width": 3, "height": 4}}, "/answers/0/annotations/0/box"),
        ({**BOX, "box": {"x": 1, "y": 2, "width": 0, "height": 4}}, "/answers/0/annotations/0/box"),
        ({**BOX, "polygons": [[0, 0, 1, 1, 2, HEIGHT + 2]]}, "/answers/0/annotations/0/polygons/0"),
        ({**BOX, "polygons": [[0, 0, 1]]}, "/answers/0/annotations/0/polygons/0"),
        ({**BOX, "mask": {"height": 1, "width": 1, "counts": "0"}}, "/answers/0/annotations/0/mask"),
        ({**BOX, "keypoints": [WIDTH + 2, 1, 2]}, "/answers/0/annotations/0/keypoints"),
        ({**BOX, "colour": "red"}, "/answers/0/annotations/0/colour"),
        ({**BOX, "box": {"x": "left", "y": 2, "width": 1, "height": 4}}, "/answers/0/annotations/0/box/x"),
    ],
)
async def test_an_annotation_that_cannot_be_is_refused_where_it_is_wrong(
    api: Api, job: LabelingJob, annotation: JSON, pointer: str
) -> None:
    body = answers(10, annotations=[annotation])
    body["answers"] += answers(20)["answers"]

    problem = await api.post(path(job, "/annotations"), body, expect=422)

    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert (await api.get(path(job)))["open"] == 3


async def test_an_asset_of_no_item_and_a_skipped_one_with_annotations_are_refused(api: Api, job: LabelingJob) -> None:
    body = answers(10, state="skipped")
    body["answers"] += answers(99)["answers"]

    problem = await api.post(path(job, "/annotations"), body, expect=422)

    assert [error["pointer"] for error in problem["errors"]] == ["/answers/0/annotations", "/answers/1/asset"]


async def test_a_closed_job_takes_no_answers(api: Api, job: LabelingJob) -> None:
    await api.post(path(job, "/annotations"), answers(10))

    closed = await api.post(path(job, "/close"))
    again = await api.post(path(job, "/close"))
    await api.post(path(job, "/annotations"), answers(20), expect=409)

    assert (closed["job"]["state"], closed["open"]) == ("closed", 2)
    assert again == closed
    assert (await api.services.database.documents(Task).get(job.task)).state is TaskState.QUEUED


async def test_a_tool_answers_by_the_address_of_the_job(api: Api, job: LabelingJob) -> None:
    nobody = api.bearing("")

    status = await nobody.post(f"/v1/hooks/api/{job.token}", answers(10))
    await nobody.post("/v1/hooks/api/guessed", answers(20), expect=404)

    assert (status["labeled"], status["job"]["token"]) == (1, "")


async def test_a_viewer_does_not_see_the_secret_of_a_job(api: Api, job: LabelingJob) -> None:
    viewer = api.bearing(VIEWER)

    listed = await viewer.get(f"/v1/projects/{PROJECT}/labeling")
    shown = await viewer.get(path(job))

    assert {listed["items"][0]["token"], shown["job"]["token"]} == {""}
    assert (await api.get(path(job)))["job"]["token"] == job.token


async def test_a_key_that_may_only_read_does_not_see_the_secret_of_a_job(api: Api, job: LabelingJob) -> None:
    body = {"name": "reader", "role": "member", "scopes": ["read"]}
    secret = (await api.post("/v1/keys", body, expect=201))["secret"]

    shown = await api.bearing(secret).get(path(job))

    assert not shown["job"]["token"]


async def test_an_item_that_was_read_into_the_version_takes_no_answer(api: Api, job: LabelingJob) -> None:
    items = api.services.database.documents(LabelingItem)
    (item,) = (await items.list(Query(equal={"job": job.id, "asset": asset(10)}))).items
    await items.replace(item.successor(sealed=True), was=item)

    await api.post(path(job, "/annotations"), answers(10), expect=409)


async def test_a_job_whose_task_has_ended_closes_and_takes_no_answers(api: Api, job: LabelingJob) -> None:
    tasks = api.services.database.documents(Task)
    task = await tasks.get(job.task)
    await tasks.replace(task.ended(Outcome(cancelled=True), at=NOON), was=task)

    await api.post(path(job, "/annotations"), answers(10), expect=409)

    assert (await api.get(path(job)))["job"]["state"] == "closed"
