"""Versions and datasets are found by keyword, tag and class; what versions have in common and lack is shown."""

import pytest

from gateway import searching
from schemas.datasets import Version
from schemas.splits import Split
from storage.datasets.rows import AnnotationRow
from tests.gateway.api import Api
from tests.gateway.world import PROJECT, World

PROJECTS = f"/v1/projects/{PROJECT}"
POOL = f"{PROJECTS}/datasets/pool"
ROBIN = AnnotationRow("robin", (4.0, 6.0, 20.0, 30.0))
WREN = AnnotationRow("wren", (4.0, 6.0, 20.0, 30.0))


@pytest.fixture
async def versions(world: World) -> list[Version]:
    return [
        await world.version(keywords=("Night", "rain"), boxes={10: [ROBIN]}),
        await world.version(number=2, shades=(10, 40), keywords=("day",), boxes={40: [WREN]}, split=Split.VALIDATION),
        await world.version("other", shades=(10, 20), boxes={20: [WREN, WREN]}),
    ]


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"pool@1", "pool@2", "other@1"}),
        ("?keyword=nigh", {"pool@1"}),
        ("?keyword=RAIN&keyword=day", {"pool@1", "pool@2"}),
        ("?keyword=snow", set()),
        ("?class=wren", {"pool@2", "other@1"}),
        ("?class=Winter%20Wren&keyword=day", {"pool@2"}),
        ("?class=wren&class=robin&name=po", {"pool@1", "pool@2"}),
        ("?class=wren&layer=detector@best", set()),
        ("?class=robin&layer=ground_truth", {"pool@1"}),
        ("?tag=go", {"pool@1"}),
        ("?tag=go&class=wren", set()),
        ("?name=oth", {"other@1"}),
    ],
)
async def test_versions_are_found_by_conditions(api: Api, query: str, found: set[str]) -> None:
    await api.call("PUT", f"{POOL}/tags/good", expect=200, json={"version": 1})

    listed = await api.get(f"{PROJECTS}/versions{query}")
    datasets = await api.get(f"{PROJECTS}/datasets{query}")

    assert {f"{item['dataset_name']}@{item['number']}" for item in listed["items"]} == found
    assert {item["name"] for item in datasets["items"]} == {ref.partition("@")[0] for ref in found}
    assert (listed["next"], datasets["next"]) == (None, None)


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize("path", ["versions?class=robin&class=wren", "datasets?class=robin&class=wren", "versions?"])
async def test_what_is_found_is_paged(api: Api, path: str) -> None:
    whole = (await api.get(f"{PROJECTS}/{path}"))["items"]

    pages = [await api.get(f"{PROJECTS}/{path}&limit=1")]
    while pages[-1]["next"]:
        pages.append(await api.get(f"{PROJECTS}/{path}&limit=1&cursor={pages[-1]['next']}"))

    items = [item for page in pages for item in page["items"]]
    assert all(len(page["items"]) == 1 for page in pages[:-1])
    assert [item["id"] for item in items] == [item["id"] for item in whole]
    assert len(items) >= 2
    await api.get(f"{PROJECTS}/{path}&cursor=x", expect=422)


@pytest.mark.usefixtures("versions")
async def test_a_search_that_takes_long_goes_on_from_where_it_was(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "SECONDS", -1.0)

    pages = [await api.get(f"{PROJECTS}/versions?class=robin")]
    while pages[-1]["next"]:
        pages.append(await api.get(f"{PROJECTS}/versions?class=robin&cursor={pages[-1]['next']}"))

    assert [len(page["items"]) for page in pages].count(1) == 1
    assert len(pages) == 3


@pytest.mark.usefixtures("versions")
async def test_versions_of_hidden_datasets_are_not_found(api: Api) -> None:
    await api.delete(POOL)

    found = await api.get(f"{PROJECTS}/versions?class=robin&class=wren")

    assert [item["dataset_name"] for item in found["items"]] == ["other"]


@pytest.mark.usefixtures("versions")
async def test_classes_are_chosen_by_name_or_alias(api: Api) -> None:
    plain = await api.get(f"{POOL}/versions/2/stats")
    chosen = await api.get(f"{POOL}/versions/2/stats?class=winter%20wren")

    assert plain["chosen"] == {}
    assert chosen["chosen"] == {"ground_truth": {"positive": 1, "negative": 1, "not_annotated": 0, "annotations": 1}}
    assert {**chosen, "chosen": {}} == plain


@pytest.mark.usefixtures("versions")
async def test_suggestions_are_of_a_layer(api: Api) -> None:
    found = await api.get(f"{POOL}/versions/1/suggestions")

    assert found["layer"] == "ground_truth"
    assert {"lack": "objects", "subject": "robin", "count": 1, "target": 500} in found["suggestions"]
    assert {one["lack"] for one in found["suggestions"]} == {"objects", "density"}
    await api.get(f"{POOL}/versions/1/suggestions?layer=absent", expect=422)


@pytest.mark.usefixtures("versions")
async def test_what_versions_have_in_common_is_told_in_one_call(api: Api) -> None:
    one = await api.get(f"{POOL}/versions/1/overlap?against=2")
    both = await api.get(f"{POOL}/versions/1/overlap?against=2&against=other@1")

    assert (one["images"], one["others"], one["joint"]["count"], one["residual"]) == (3, 2, 1, 2)
    assert one["across_splits"] == {"validation->training": 1}
    assert (both["others"], both["joint"]["count"], both["residual"]) == (3, 2, 1)
    await api.get(f"{POOL}/versions/1/overlap", expect=422)
    await api.get(f"{POOL}/versions/1/overlap?against=9", expect=422)
