"""What the gateway makes of the names in tasks of the algebra."""

import pytest

from schemas.datasets import Version
from tests.gateway.api import JSON, Api
from tests.gateway.world import PROJECT, World

TASKS = f"/v1/projects/{PROJECT}/tasks"


@pytest.fixture(autouse=True)
async def pool(world: World) -> Version:
    return await world.version()


async def accepted(api: Api, **asked: object) -> JSON:
    task = await api.post(TASKS, {"dataset": "new", "source": "pool", **asked}, expect=202)
    parameters: JSON = task["parameters"]
    return parameters


async def refused(api: Api, **asked: object) -> list[JSON]:
    problem = await api.post(TASKS, {"dataset": "new", "source": "pool", **asked}, expect=422)
    errors: list[JSON] = problem["errors"]
    return errors


async def test_aliases_are_taken_for_their_classes_in_every_task(api: Api) -> None:
    relabel = await accepted(api, type="relabel", classes={"Winter Wren": "robin", "robin": "winter wren"})
    kept = await accepted(api, type="filter", include_classes=["winter wren", "wren"], exclude_classes=["robin"])

    assert relabel["classes"] == {"wren": "robin", "robin": "wren"}
    assert (kept["include_classes"], kept["exclude_classes"]) == (["wren"], ["robin"])


async def test_a_class_and_its_alias_are_neither_relabeled_twice_nor_kept_and_left_out(api: Api) -> None:
    [twice] = await refused(api, type="relabel", classes={"winter wren": "robin", "wren": ""})
    [both] = await refused(api, type="filter", include_classes=["winter wren"], exclude_classes=["wren"])

    assert twice["pointer"].startswith("/classes/")
    assert both["pointer"] == "/exclude_classes"


async def test_a_new_name_must_be_known_or_asked_for_an_old_one_need_not(api: Api) -> None:
    [unknown] = await refused(api, type="relabel", classes={"robin": "great tits"})
    added = await accepted(api, type="relabel", classes={"ufo": "great tits"}, unknown_classes="add")
    [layer] = await refused(api, type="relabel", layer="absent", classes={"robin": ""})

    assert "The nearest is 'great tit'" in unknown["detail"]
    assert "unknown_classes add" in unknown["detail"]
    assert added["classes"] == {"ufo": "great tits"}
    assert layer["pointer"] == "/layer"


async def test_what_a_replay_names_is_looked_up_when_it_is_accepted(api: Api) -> None:
    asked = {"type": "replay", "dataset": "new", "version": "pool@1", "onto": "pool", "keywords": ["again"]}

    task = await api.post(TASKS, asked, expect=202)
    missing = await api.post(TASKS, {**asked, "source": "absent"}, expect=422)

    assert [given["pointer"] for given in task["inputs"]] == ["/version", "/onto"]
    assert task["parameters"]["keywords"] == ["again"]
    assert missing["errors"][0]["pointer"] == "/source"


async def test_a_filter_that_looks_at_no_annotation_needs_no_layer(api: Api) -> None:
    await accepted(api, type="filter", splits=["training"], layers=["absent"])
    await refused(api, type="filter", quality=[0.5, None], layers=["absent"])


async def test_an_evaluation_must_exist_for_a_fuse_as_well(api: Api) -> None:
    marked = {"evaluation": "0" * 32, "marks": ["fp"]}
    asked = {"type": "fuse", "dataset": "new", "sources": [{"ref": "pool"}], "conditions": {"marked": marked}}

    problem = await api.post(TASKS, asked, expect=422)

    assert problem["errors"][0]["pointer"] == "/conditions/marked/evaluation"
