"""Datasets, versions, tags and assets over HTTP."""

import asyncio
import io

import pytest
from PIL import Image

from gateway import ancestry
from schemas.datasets import Tag, Version, tag_id
from schemas.outcomes import Outcome
from schemas.tasks import Task
from storage.datasets.rows import AnnotationRow
from tests.factories import NOON, a_task
from tests.gateway.api import Api
from tests.gateway.world import HEIGHT, PROJECT, WIDTH, World, a_picture

POOL = f"/v1/projects/{PROJECT}/datasets/pool"


@pytest.fixture
async def first(world: World) -> Version:
    return await world.version()


@pytest.fixture
async def second(world: World, first: Version) -> Version:
    wren = AnnotationRow("wren", (4.0, 6.0, 20.0, 30.0), attributes='{"weather":"rain"}')
    return await world.version(number=2, shades=(10, 20, 40), boxes={20: [wren]}, parents=(first.id,))


async def test_datasets_are_listed_described_hidden_and_shown_again(api: Api, first: Version) -> None:
    changed = await api.patch(POOL, {"description": "what the camera saw"})
    await api.delete(POOL)
    hidden = await api.get(f"/v1/projects/{PROJECT}/datasets")
    removed = await api.get(f"/v1/projects/{PROJECT}/datasets?removed=true")
    await api.get(f"{POOL}/versions/1", expect=404)
    await api.patch(POOL, {"removed": False})

    assert (changed["description"], hidden["items"]) == ("what the camera saw", [])
    assert [dataset["name"] for dataset in removed["items"]] == ["pool"]
    assert (await api.get(f"{POOL}/versions/1"))["id"] == first.id


async def test_versions_are_listed_and_found_by_number_and_tag(api: Api, first: Version, second: Version) -> None:
    await api.call("PUT", f"{POOL}/tags/good", expect=200, json={"version": 1})
    moved = await api.call("PUT", f"{POOL}/tags/good", expect=200, json={"version": 2})

    listed = await api.get(f"{POOL}/versions")
    tagged = await api.get(f"{POOL}/versions/good")
    tags = await api.get(f"{POOL}/tags")

    assert [version["number"] for version in listed["items"]] == [2, 1]
    assert (await api.get(f"{POOL}/versions/1"))["id"] == first.id
    assert (tagged["id"], tags["items"]) == (second.id, [moved])


async def test_a_tag_that_is_removed_names_nothing(api: Api, first: Version) -> None:
    await api.call("PUT", f"{POOL}/tags/good", expect=200, json={"version": first.number})

    await api.delete(f"{POOL}/tags/good")

    await api.get(f"{POOL}/versions/good", expect=404)
    await api.delete(f"{POOL}/tags/good", expect=404)


@pytest.mark.parametrize(("tag", "told"), [("a b", "A name has at most 100 letters"), ("12", "number")])
async def test_what_cannot_be_a_tag_is_told_in_words(api: Api, first: Version, tag: str, told: str) -> None:
    problem = await api.call("PUT", f"{POOL}/tags/{tag}", expect=422, json={"version": first.number})

    assert told in problem["errors"][0]["detail"]
    assert "^" not in problem["errors"][0]["detail"]


async def test_a_tag_names_no_hidden_version_and_its_own_may_be_hidden(
    api: Api, first: Version, second: Version
) -> None:
    await api.call("PUT", f"{POOL}/tags/good", expect=200, json={"version": first.number})
    await api.delete(f"{POOL}/versions/1")

    await api.get(f"{POOL}/versions/good", expect=404)
    problem = await api.call("PUT", f"{POOL}/tags/other", expect=422, json={"version": 1})
    moved = await api.call("PUT", f"{POOL}/tags/good", expect=200, json={"version": 2})

    assert problem["errors"][0]["pointer"] == "/version"
    assert moved["version"] == second.id


async def test_a_tag_that_a_task_has_reserved_is_not_taken_from_it_until_it_has_ended(
    api: Api, world: World, first: Version
) -> None:
    task = a_task(project=world.project.id)
    await world.add(task)
    identity = tag_id(first.dataset, "best")
    project, line = world.project.id, first.dataset
    await world.add(Tag(id=identity, project=project, dataset=line, name="best", version="f" * 32, task=task.id))

    await api.call("PUT", f"{POOL}/tags/best", expect=409, json={"version": 1})
    await world.services.database.documents(Task).replace(task.ended(Outcome(cancelled=True), at=NOON), was=task)
    moved = await api.call("PUT", f"{POOL}/tags/best", expect=200, json={"version": 1})

    assert (moved["version"], moved["task"]) == (first.id, None)


async def test_a_tag_that_is_set_many_times_at_once_names_one_of_those_versions(
    api: Api, first: Version, second: Version
) -> None:
    calls = (
        api.call("PUT", f"{POOL}/tags/good", expect=200, json={"version": number}) for number in (1, 2, 1, 2, 1, 2)
    )
    await asyncio.gather(*calls)

    assert (await api.get(f"{POOL}/versions/good"))["id"] in {first.id, second.id}


@pytest.mark.usefixtures("first", "second")
async def test_a_tag_that_was_moved_since_it_was_read_is_not_moved_with_an_old_etag(api: Api) -> None:
    await api.call("PUT", f"{POOL}/tags/good", expect=200, json={"version": 1})
    await api.call("PUT", f"{POOL}/tags/good", expect=200, json={"version": 2})

    await api.call("PUT", f"{POOL}/tags/good", expect=412, json={"version": 1}, headers={"If-Match": '"0"'})


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize(("tag", "number", "status"), [("7", 1, 422), ("a b", 1, 422), ("good", 9, 404)])
async def test_a_tag_that_cannot_be_is_refused(api: Api, tag: str, number: int, status: int) -> None:
    await api.call("PUT", f"{POOL}/tags/{tag}", expect=status, json={"version": number})


async def test_a_version_is_hidden_and_shown_again_by_its_number(api: Api, first: Version) -> None:
    changed = await api.patch(f"{POOL}/versions/1", {"message": "a start", "keywords": ["raw"]})
    await api.delete(f"{POOL}/versions/1")
    listed = await api.get(f"{POOL}/versions")
    await api.get(f"{POOL}/versions/1", expect=404)
    shown = await api.patch(f"{POOL}/versions/1", {"removed": False})

    assert (changed["message"], changed["keywords"], listed["items"]) == ("a start", ["raw"], [])
    assert (shown["id"], shown["digest"]) == (first.id, first.digest)


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("ref", ["7", "absent", "9" * 5000, "9" * 90, "a%00b", "%F0%9F", "..", "٣"])
async def test_a_version_that_does_not_exist_is_not_found(api: Api, ref: str) -> None:
    await api.get(f"{POOL}/versions/{ref}x", expect=404)
    await api.get(f"{POOL}/versions/{ref}/history", expect=404)


async def test_history_leads_back_to_the_beginning(api: Api, first: Version, second: Version) -> None:
    whole = await api.get(f"{POOL}/versions/2/history")
    page = await api.get(f"{POOL}/versions/2/history?limit=1")
    rest = await api.get(f"{POOL}/versions/2/history?limit=1&cursor={page['next']}")

    assert [version["id"] for version in whole["items"]] == [second.id, first.id]
    assert page["items"] + rest["items"] == whole["items"]
    assert (whole["next"], rest["next"]) == (None, None)
    await api.get(f"{POOL}/versions/2/history?cursor=x", expect=422)


async def test_a_history_that_is_too_long_says_that_it_is_cut(
    api: Api, world: World, first: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ancestry, "WALKED_AT_MOST", 4)
    parent = first
    for number in range(2, 8):
        parent = await world.version(number=number, parents=(parent.id,))

    whole = await api.get(f"{POOL}/versions/7/history")
    start = await api.get(f"{POOL}/versions/7/history?limit=2")
    rest = await api.get(f"{POOL}/versions/4/history")

    assert ([item["number"] for item in whole["items"]], whole["is_cut"]) == ([7, 6, 5, 4], True)
    assert (len(start["items"]), start["next"], start["is_cut"]) == (2, "2", False)
    assert ([item["number"] for item in rest["items"]], rest["is_cut"]) == ([4, 3, 2, 1], False)


@pytest.mark.usefixtures("second")
async def test_the_assets_that_differ_are_listed_with_their_annotations(api: Api) -> None:
    path = f"{POOL}/versions/2/diff/assets?against=1"

    whole = await api.get(path)
    page = await api.get(f"{path}&limit=1")
    rest = await api.get(f"{path}&cursor={page['next']}")
    changed = await api.get(f"{path}&layer=ground_truth&change=changed")

    assert page["items"] + rest["items"] == whole["items"]
    assert sorted(item["changes"][0] for item in whole["items"]) == ["added", "changed", "changed", "removed"]
    # One robin went, and a wren came on another image.
    told = [item["layers"]["ground_truth"] for item in changed["items"]]
    assert sorted((len(layer["added"]), len(layer["removed"])) for layer in told) == [(0, 1), (1, 0)]
    for wrong in ("&cursor=x", "&change=new", "&layer=%20", ""):
        await api.get(f"{path}{wrong}" if wrong else f"{POOL}/versions/2/diff/assets", expect=422)


@pytest.mark.usefixtures("second")
async def test_statistics_and_differences_are_shown(api: Api) -> None:
    statistics = await api.get(f"{POOL}/versions/1/stats")
    difference = await api.get(f"{POOL}/versions/2/diff?against=1")

    assert statistics["images"] == 3
    assert statistics["layers"]["ground_truth"]["positive"] == 1
    assert (difference["added"]["count"], difference["removed"]["count"]) == (1, 1)
    assert await api.get(f"{POOL}/versions/2/diff?against=pool@1") == difference
    await api.get(f"{POOL}/versions/2/diff", expect=422)
    await api.get(f"{POOL}/versions/2/diff?against=9", expect=422)


@pytest.mark.usefixtures("second")
@pytest.mark.parametrize(
    ("query", "shades"),
    [
        ("", {10, 20, 40}),
        ("?class=Wren", {20}),
        ("?class=wren&class=robin&split=training", {20}),
        ("?class=robin", set()),
        ("?split=test", set()),
        ("?name=pictures/4", {40}),
        ("?attribute=weather=rain", {20}),
        ("?attribute=weather=sun", set()),
        ("?attribute=weather:rain", {20}),
        ("?attribute=weather", {20}),
        ("?attribute=light&attribute=weather:sun&attribute=weather:rain", {20}),
        ("?attribute=weather:rain&class=robin", set()),
        ("?class=Winter%20Wren", {20}),
        ("?name=TURES/4", {40}),
        ("?layer=ground_truth&limit=3", {10, 20, 40}),
    ],
)
async def test_assets_are_listed_by_conditions(api: Api, query: str, shades: set[int]) -> None:
    page = await api.get(f"{POOL}/versions/2/assets{query}")

    assert {item["file_name"] for item in page["items"]} == {f"pictures/{shade}.png" for shade in shades}
    assert page["next"] is None


@pytest.mark.usefixtures("second")
async def test_assets_are_paged(api: Api) -> None:
    page = await api.get(f"{POOL}/versions/2/assets?limit=2")
    rest = await api.get(f"{POOL}/versions/2/assets?limit=2&cursor={page['next']}")

    whole = await api.get(f"{POOL}/versions/2/assets")
    assert page["items"] + rest["items"] == whole["items"]
    for wrong in ("?cursor=x", "?split=half", "?attribute=:rain", "?mark=fp", f"?evaluation={'0' * 32}", "?layer=%20"):
        await api.get(f"{POOL}/versions/2/assets{wrong}", expect=422)


@pytest.mark.usefixtures("first")
async def test_an_asset_is_shown_with_links_that_work_without_a_key(api: Api) -> None:
    [listed] = (await api.get(f"{POOL}/versions/1/assets?class=robin"))["items"]

    shown = await api.get(f"{POOL}/versions/1/assets/{listed['asset']}")
    link = shown["image"].removeprefix(api.services.settings.public_url)
    image = await api.bearing("").raw("GET", link)

    assert shown == listed
    assert (shown["split"], shown["width"]) == ("training", WIDTH)
    assert shown["layers"]["ground_truth"][0]["class"] == "robin"
    assert await image.read() == a_picture(10)
    assert (image.content_type, image.headers["X-Content-Type-Options"]) == ("image/png", "nosniff")


@pytest.mark.usefixtures("first")
async def test_a_part_of_an_image_and_one_that_is_known_are_not_sent_whole(api: Api) -> None:
    [listed] = (await api.get(f"{POOL}/versions/1/assets?class=robin"))["items"]
    path = f"{POOL}/versions/1/assets/{listed['asset']}/image"
    data = a_picture(10)

    part = await api.raw("GET", path, headers={"Range": "bytes=2-5"})
    tail = await api.raw("GET", path, headers={"Range": "bytes=-4"})
    beyond = await api.raw("GET", path, headers={"Range": "bytes=99999-"})
    known = await api.raw("GET", path, headers={"If-None-Match": part.headers["ETag"]})

    assert (part.status, await part.read()) == (206, data[2:6])
    assert part.headers["Content-Range"] == f"bytes 2-5/{len(data)}"
    assert await tail.read() == data[-4:]
    assert (beyond.status, known.status) == (416, 304)


@pytest.mark.usefixtures("first")
async def test_a_thumbnail_is_small_and_has_the_boxes(api: Api) -> None:
    [listed] = (await api.get(f"{POOL}/versions/1/assets?class=robin"))["items"]
    path = f"{POOL}/versions/1/assets/{listed['asset']}/thumbnail?size=32"

    plain = await api.raw("GET", path)
    drawn = await api.raw("GET", f"{path}&layers=ground_truth,predictions&confidence=0.3")
    again = await api.raw("GET", f"{path}&layers=ground_truth&layers=predictions&confidence=0.3")

    picture = Image.open(io.BytesIO(await plain.read()))
    assert picture.size == (32, 32 * HEIGHT // WIDTH)
    assert await drawn.read() == await again.read() != await plain.read()
    assert (await api.raw("GET", f"{path}0000")).status == 422


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("asset", ["0" * 64, "short", "..%2F..%2F1"])
async def test_an_asset_that_a_version_lacks_is_not_found(api: Api, asset: str) -> None:
    for rest in ("", "/image", "/thumbnail"):
        await api.get(f"{POOL}/versions/1/assets/{asset}{rest}", expect=404)
