"""Whatever is sent, the service says what is wrong with it and goes on."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.app import operations
from gateway.operations import Operation
from tests.gateway.api import JSON, Api
from tests.gateway.world import PROJECT, World

# The fixtures stay for all examples: what one leaves behind is what the next one meets.
AT_LENGTH = settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

WITH_BODY = [operation for operation in operations() if operation.body is not None]
READING = [operation for operation in operations() if operation.method == "GET"]

words = st.sampled_from(
    ["", "pool", "pool@1", "robin", "api", "box", "a" * 300, "0" * 32, "0" * 64, "\x00", "é", "../..", "none", "@"]
)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words | st.text()
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(), inner, max_size=3)
)
VALID: list[JSON] = [
    {"type": "sample", "dataset": "few", "source": "pool", "count": 1},
    {"type": "merge", "dataset": "all", "sources": [{"ref": "pool", "split": "test"}], "exclude": ["pool@1"]},
    {"type": "filter", "dataset": "some", "source": "pool", "marked": {"evaluation": "0" * 32, "marks": ["tp"]}},
    {"type": "import", "dataset": "new", "source": {"path": "/etc"}},
    {"type": "label", "dataset": "new", "source": "pool", "classes": ["robin"]},
    {"name": "cars", "classes": ["van"], "targets": {"rounds": 3}},
    {"classes": [{"name": "crow", "aliases": ["raven"]}], "dry_run": True},
    {"answers": [{"asset": "0" * 64, "annotations": [{"class": "robin", "box": {"x": 0, "y": 0, "width": 1}}]}]},
    {"description": "x", "removed": False},
]


@st.composite
def bodies(draw: st.DrawFn) -> Any:  # noqa: ANN401 - any JSON
    """Draw any JSON, or a body that was valid until something in it was replaced."""
    if draw(st.booleans()):
        return draw(anything)
    body = dict(draw(st.sampled_from(VALID)))
    for name in draw(st.lists(st.sampled_from(sorted(body)), max_size=2)):
        body[name] = draw(anything)
    return body


@pytest.fixture
async def filled(world: World) -> World:
    version = await world.version()
    await world.job(version)
    await world.model()
    await world.executor()
    return world


@pytest.mark.slow
@AT_LENGTH
@given(operation=st.sampled_from(WITH_BODY), body=bodies(), name=words)
async def test_no_body_breaks_the_service(
    api: Api, filled: World, operation: Operation, body: object, name: str
) -> None:
    job = next(iter((await api.get(f"/v1/projects/{PROJECT}/labeling")).get("items", [{"id": "x"}])))
    identity = job["id"] if "labeling" in operation.path else name
    path = addressed(operation, name=name, id=identity, token=job.get("token", "x"), tag=name)

    response = await api.raw(operation.method, path, json=body)

    assert response.status < 500, await response.text()
    assert filled.project.name == PROJECT


@pytest.mark.slow
@AT_LENGTH
@given(operation=st.sampled_from(READING), name=words, query=st.dictionaries(words | st.text(), words, max_size=2))
@pytest.mark.usefixtures("filled")
async def test_no_address_breaks_the_service(api: Api, operation: Operation, name: str, query: dict[str, str]) -> None:
    known = {} if operation.query is None else dict.fromkeys(operation.query.model_fields, name)
    path = addressed(operation, name=name or "pool", id=name, ref=name or "1", asset=name)

    response = await api.raw(operation.method, path, params={**known, **query})

    assert response.status < 500, await response.text()


def addressed(operation: Operation, **names: str) -> str:
    """Return the path of an operation with some names in it."""
    filled_in = {"project": PROJECT, "ref": "1", "name": "pool", "asset": "0" * 64, **names}
    path = operation.path
    for name, value in filled_in.items():
        path = path.replace(f"{{{name}}}", quote(value or "x", safe="").replace("..", "%2E%2E"))
    return path
