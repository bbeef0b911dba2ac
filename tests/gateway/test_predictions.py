"""What an inference found on uploaded pictures: listed, and drawn."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from schemas.outcomes import Outcome, PredictedPictures, TaskResult
from schemas.schema import Id, new_id
from schemas.tasks import Task
from schemas.uploads import Upload
from storage.datasets.content import whole_segment
from storage.datasets.rows import AnnotationRow, ImageRow
from storage.datasets.segments import build_segment
from tests.factories import NOON, WORKER, a_task
from tests.gateway.api import MEMBER, Api
from tests.gateway.world import PROJECT, World, a_picture

LAYER = "detector@best"
SURE = AnnotationRow("robin", (10.0, 20.0, 20.0, 16.0), confidence=0.9)
UNSURE = AnnotationRow("wren", (40.0, 20.0, 16.0, 16.0), confidence=0.2)


async def test_each_picture_is_listed_with_what_was_found_on_it(api: Api, world: World) -> None:
    task = await predicted(world, {10: [SURE, UNSURE], 20: []})

    listed = (await api.get(f"/v1/tasks/{task}/predictions"))["items"]

    by_name = {one["file_name"]: one for one in listed}
    assert [len(by_name[name]["annotations"]) for name in ("10.png", "20.png")] == [2, 0]
    found = by_name["10.png"]["annotations"][0]
    assert (found["class"], found["confidence"], found["box"]["width"]) == ("robin", 0.9, 20.0)
    assert (by_name["10.png"]["width"], by_name["10.png"]["height"]) == (64, 48)


async def test_only_what_is_sure_enough_is_listed_and_a_page_at_a_time(api: Api, world: World) -> None:
    task = await predicted(world, {10: [SURE, UNSURE], 20: [UNSURE], 30: []})
    path = f"/v1/tasks/{task}/predictions?confidence=0.5&limit=2"

    first = await api.get(path)
    second = await api.get(f"{path}&cursor={first['next']}")

    assert (len(first["items"]), len(second["items"]), second["next"]) == (2, 1, None)
    assert sorted(len(one["annotations"]) for one in [*first["items"], *second["items"]]) == [0, 0, 1]


async def test_a_picture_is_drawn_as_asked_for_and_sent_as_it_came(api: Api, world: World) -> None:
    task = await predicted(world, {10: [SURE, UNSURE]})
    [listed] = (await api.get(f"/v1/tasks/{task}/predictions"))["items"]
    picture = f"/v1/tasks/{task}/pictures/{listed['asset']}"

    plain = await pixels(api, f"{picture}/image")
    both = await pixels(api, f"{picture}/drawn?format=png")
    sure = await pixels(api, f"{picture}/drawn?format=png&confidence=0.5")
    jpeg = await api.raw("GET", f"{picture}/drawn")
    small = await pixels(api, f"{picture}/drawn?size=32")

    assert both.shape == plain.shape
    assert (both[28, 9:11] != plain[28, 9:11]).any()  # the left side of the sure one
    assert (both[28, 55:58] != plain[28, 55:58]).any()  # the right side of the other
    assert (sure[28, 39:58] == plain[28, 39:58]).all()
    assert jpeg.content_type == "image/jpeg"
    assert small.shape == (24, 32, 3)


async def test_the_links_work_without_a_key_and_only_as_they_are(api: Api, world: World) -> None:
    task = await predicted(world, {10: [SURE]})
    [listed] = (await api.get(f"/v1/tasks/{task}/predictions"))["items"]
    stranger = api.bearing("")

    for link in (listed["image"], listed["drawn"]):
        path = "/v1/" + link.partition("/v1/")[2]
        assert (await stranger.raw("GET", path)).status == 200
        assert (await stranger.raw("GET", path.replace("signature=", "signature=0"))).status == 403


async def test_another_task_says_what_it_has_instead(api: Api, world: World) -> None:
    other = a_task(project=world.project.id)
    running = a_task(project=world.project.id, parameters=asked([new_id()]))
    on_version = a_task(
        project=world.project.id,
        parameters={"type": "infer", "executor": "e", "model": {"id": new_id()}, "source": "pool", "dataset": "found"},
    ).claimed(by=WORKER, at=NOON)
    result = TaskResult(dataset="found", number=3, summary={"layer": LAYER})
    for task in (other, running, on_version.ended(Outcome(result=result), at=NOON)):
        await world.add(task)

    steps = [
        (await api.get(f"/v1/tasks/{task.id}/predictions", expect=404))["step"] for task in (other, running, on_version)
    ]

    assert "An inference on uploads has some." in steps[0]
    assert "the task is queued" in steps[1]
    assert f"the layer {LAYER} of found@3" in steps[2]


async def test_a_picture_that_was_not_sent_with_the_task_is_not_found(api: Api, world: World) -> None:
    task = await predicted(world, {10: [SURE]})

    for asset in ("0" * 64, "everything"):
        for rest in ("image", "drawn"):
            await api.get(f"/v1/tasks/{task}/pictures/{asset}/{rest}", expect=404)


@pytest.mark.parametrize("query", ["format=gif", "size=5", "size=9999", "confidence=2", "what=ever"])
async def test_what_cannot_be_drawn_is_refused(api: Api, world: World, query: str) -> None:
    task = await predicted(world, {10: [SURE]})
    [listed] = (await api.get(f"/v1/tasks/{task}/predictions"))["items"]

    await api.get(f"/v1/tasks/{task}/pictures/{listed['asset']}/drawn?{query}", expect=422)


async def test_an_inference_on_uploads_names_those_that_are_there(api: Api, world: World) -> None:
    await world.executor()
    model = await world.model()
    blob = await world.services.blobs.put(a_picture(1))
    upload = Upload(id=new_id(), name="a.png", blob=blob, created_by="ann", created_at=NOON)
    await world.add(upload)
    member, tasks = api.bearing(MEMBER), f"/v1/projects/{PROJECT}/tasks"

    task = await member.post(tasks, asked([upload.id], model.id), expect=202)
    lacking = await member.post(tasks, asked([upload.id, "0" * 32], model.id), expect=422)
    both = await member.post(tasks, {**asked([upload.id], model.id), "dataset": "found"}, expect=422)

    assert task["parameters"]["uploads"] == [upload.id]
    assert [error["pointer"] for error in lacking["errors"]] == ["/uploads/1"]
    assert "uploads come into no dataset" in both["errors"][0]["detail"]


def asked(uploads: list[Id], model: Id = "0" * 32) -> dict[str, Any]:
    return {"type": "infer", "executor": "tiny-detector", "model": {"id": model}, "uploads": uploads}


async def predicted(world: World, found: dict[int, list[AnnotationRow]]) -> Id:
    """Keep a task that has predicted on pictures of some shades; return its id."""
    images = [
        ImageRow((await world._image(shade)).asset, f"{shade}.png", 64, 48, media_type="image/png") for shade in found
    ]
    library = world.services.library
    built = build_segment(images, list(found.values()), layer=LAYER, described=True)
    content = whole_segment(await library.keep_segment(built), rows=len(images), layer=LAYER)
    kept = await library.keep(content)
    pictures = PredictedPictures(manifest=kept.manifest, layer=LAYER, pictures=len(images))
    task: Task = a_task(project=world.project.id, parameters=asked([new_id()])).claimed(by=WORKER, at=NOON)
    await world.add(task.ended(Outcome(result=TaskResult(predictions=pictures)), at=NOON))
    return task.id


async def pixels(api: Api, path: str) -> Any:  # noqa: ANN401 - an array of numpy
    answer = await api.raw("GET", path)
    assert answer.status == 200
    return np.asarray(Image.open(io.BytesIO(await answer.read())).convert("RGB"))
