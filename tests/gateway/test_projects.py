"""Projects and classes over HTTP."""

import pytest

from tests.gateway.api import Api
from tests.gateway.world import PROJECT


async def test_a_project_is_made_shown_listed_changed_and_hidden(api: Api) -> None:
    made = await api.post("/v1/projects", {"name": "cars", "classes": ["Sedan ", "van"]}, expect=201)

    shown = await api.get("/v1/projects/cars")
    changed = await api.patch("/v1/projects/cars", {"description": "seen from above"})
    listed = await api.get("/v1/projects")
    await api.delete("/v1/projects/cars")

    assert shown == made
    assert (changed["description"], changed["generation"]) == ("seen from above", 1)
    assert [project["name"] for project in listed["items"]] == ["cars"]
    assert (await api.get("/v1/projects"))["items"] == []
    assert [project["name"] for project in (await api.get("/v1/projects?removed=true"))["items"]] == ["cars"]
    await api.get("/v1/projects/cars", expect=404)
    await api.get("/v1/projects/cars/classes", expect=404)
    await api.patch("/v1/projects/cars", {"removed": False})
    assert [project["name"] for project in (await api.get("/v1/projects"))["items"]] == ["cars"]


async def test_the_classes_of_a_new_project_are_clean(api: Api) -> None:
    await api.post("/v1/projects", {"name": "cars", "classes": ["Sedan ", "van", "sedan"]}, expect=201)

    classes = await api.get("/v1/projects/cars/classes")

    assert [entry["name"] for entry in classes["classes"]] == ["sedan", "van"]


@pytest.mark.usefixtures("world")
async def test_a_name_that_is_taken_is_a_conflict_that_leaves_nothing_behind(api: Api) -> None:
    problem = await api.post("/v1/projects", {"name": PROJECT, "classes": ["eagle"]}, expect=409)

    assert "name" in problem["detail"]
    assert "another name" in problem["step"]
    assert len((await api.get("/v1/projects"))["items"]) == 1


@pytest.mark.usefixtures("world")
async def test_classes_are_added_all_or_none(api: Api) -> None:
    taken = {"classes": [{"name": "blackbird"}, {"name": "crow", "aliases": ["robin"]}]}
    free = {"classes": [{"name": "Blackbird", "aliases": ["merle"]}]}

    refused = await api.post(f"/v1/projects/{PROJECT}/classes", taken, expect=422)
    tried = await api.post(f"/v1/projects/{PROJECT}/classes", {**free, "dry_run": True})
    before = await api.get(f"/v1/projects/{PROJECT}/classes")
    added = await api.post(f"/v1/projects/{PROJECT}/classes", free)

    assert "robin" in refused["errors"][0]["detail"]
    assert len(before["classes"]) == 3
    assert tried["classes"] == added["classes"]
    assert added["classes"][3] == {"name": "blackbird", "aliases": ["merle"]}


@pytest.mark.usefixtures("world")
async def test_a_class_twice_in_a_batch_is_refused(api: Api) -> None:
    batch = {"classes": [{"name": "crow"}, {"name": "Crow", "aliases": ["raven"]}]}

    problem = await api.post(f"/v1/projects/{PROJECT}/classes", batch, expect=422)

    assert [error["pointer"] for error in problem["errors"]] == ["/classes/0/name", "/classes/1/name"]


@pytest.mark.usefixtures("world")
async def test_aliases_of_a_class_are_replaced(api: Api) -> None:
    await api.patch(f"/v1/projects/{PROJECT}/classes/robin", {"aliases": ["redbreast"]})

    changed = await api.patch(f"/v1/projects/{PROJECT}/classes/Robin", {"aliases": ["ruddock"]})
    await api.patch(f"/v1/projects/{PROJECT}/classes/ruddock", {"aliases": []}, expect=404)

    assert changed["classes"][0] == {"name": "robin", "aliases": ["ruddock"]}


@pytest.mark.usefixtures("world")
async def test_a_change_of_what_was_changed_since_is_refused(api: Api) -> None:
    path = f"/v1/projects/{PROJECT}"
    read = await api.raw("GET", path)

    first = await api.raw("PATCH", path, json={"description": "one"}, headers={"If-Match": read.headers["ETag"]})
    second = await api.raw("PATCH", path, json={"description": "two"}, headers={"If-Match": read.headers["ETag"]})

    assert (first.status, second.status) == (200, 412)
    assert first.headers["ETag"] != read.headers["ETag"]
    assert (await api.get(path))["description"] == "one"


async def test_a_list_is_paged_by_its_cursor(api: Api) -> None:
    for number in range(5):
        await api.post("/v1/projects", {"name": f"p{number}"}, expect=201)

    names: list[str] = []
    cursor = ""
    while True:
        page = await api.get(f"/v1/projects?limit=2{cursor}")
        names += [project["name"] for project in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert names == ["p0", "p1", "p2", "p3", "p4"]
