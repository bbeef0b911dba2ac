"""What a task may name as its source, beside versions of its own project."""

import pytest

from schemas.annotations import ObjectType
from schemas.datasets import Version
from schemas.projects import ClassList, Project
from schemas.schema import new_id
from tests.factories import NOON
from tests.gateway.api import JSON, Api
from tests.gateway.world import PROJECT, World

OTHER = "farm"
TASKS = f"/v1/projects/{OTHER}/tasks"
COPY: JSON = {"type": "copy", "dataset": "taken", "project": PROJECT, "ref": "pool@1"}


def importing(**source: str) -> JSON:
    return {"type": "import", "dataset": "d", "source": source}


@pytest.fixture
async def version(world: World) -> Version:
    """Keep a version in one project, and have another that is empty."""
    other = Project(id=new_id(), name=OTHER, object_type=ObjectType.DETECTION, created_at=NOON)
    await world.add(other)
    await world.add(ClassList(id=other.id))
    return await world.version()


async def test_a_version_of_another_project_is_resolved_when_the_task_is_accepted(api: Api, version: Version) -> None:
    copied = await api.post(TASKS, COPY, expect=202)
    imported = await api.post(TASKS, importing(project=PROJECT, ref="pool"), expect=202)

    assert copied["inputs"] == [{"pointer": "/ref", "ref": "pool@1", "version": version.id}]
    assert imported["inputs"] == [{"pointer": "/source/ref", "ref": "pool", "version": version.id}]


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize(
    ("change", "pointer"), [({"project": "none"}, "/project"), ({"ref": "pool@9"}, "/ref"), ({"ref": "pol"}, "/ref")]
)
async def test_a_project_or_version_that_does_not_exist_is_refused(api: Api, change: JSON, pointer: str) -> None:
    problem = await api.post(TASKS, {**COPY, **change}, expect=422)

    assert [error["pointer"] for error in problem["errors"]] == [pointer]


@pytest.mark.usefixtures("version")
async def test_a_project_that_is_hidden_is_no_source(api: Api) -> None:
    await api.delete(f"/v1/projects/{PROJECT}")

    problem = await api.post(TASKS, importing(project=PROJECT, ref="pool"), expect=422)

    assert [error["pointer"] for error in problem["errors"]] == ["/source/project"]


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize(
    ("source", "pointer"),
    [({"project": PROJECT, "ref": "pool"}, "project"), ({"upload": "0" * 32}, "upload"), ({"path": "/etc"}, "path")],
)
async def test_the_source_of_a_model_is_looked_at_too(api: Api, source: JSON, pointer: str) -> None:
    problem = await api.post(TASKS, {"type": "import_model", "model": "m", "source": source}, expect=422)

    assert [error["pointer"] for error in problem["errors"]] == [f"/source/{pointer}"]


@pytest.mark.usefixtures("version")
async def test_what_is_about_files_is_refused_for_a_version_of_another_project(api: Api) -> None:
    source = importing(project=PROJECT, ref="pool")

    await api.post(TASKS, {**source, "format": "none"}, expect=202)
    for field in ({"format": "voc"}, {"layer": "other"}, {"base": "pool"}, {"on_bad_image": "fail"}):
        problem = await api.post(TASKS, {**source, **field}, expect=422)

        assert "about files" in problem["errors"][0]["detail"]


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://ann:s3cret@example.org/a.zip", "name or password"),
        ("https://token@example.org/a.zip", "name or password"),
        ("ftp://example.org/a.zip", "of the form https://"),
        ("file:///etc/passwd", "of the form https://"),
        ("gopher://example.org/", "of the form https://"),
        ("//example.org/a.zip", "of the form https://"),
        ("a.zip", "of the form https://"),
        ("https:///a.zip", "of the form https://"),
        ("http://example.org\\@inside/a.zip", "backslashes"),
        ("http://example.org/a b", "no spaces"),
        ("http://example.org/a\r\nHost: inside", "no spaces"),
        ("http://[::1/a.zip", "not the URL"),
        ("http://example.org:99999/", "not the URL"),
    ],
)
async def test_a_url_that_cannot_be_one_of_a_file_is_refused_and_not_repeated(api: Api, url: str, why: str) -> None:
    response = await api.raw("POST", TASKS, json=importing(url=url))

    text = await response.text()
    problem = await response.json()
    assert response.status == 422
    assert problem["errors"][0]["pointer"] == "/source/url"
    assert why in problem["errors"][0]["detail"]
    assert "s3cret" not in text
    assert "token@" not in text


@pytest.mark.usefixtures("version")
async def test_a_url_and_an_s3_prefix_are_accepted(api: Api) -> None:
    await api.post(TASKS, importing(url="https://example.org/a.zip?signature=1"), expect=202)
    await api.post(TASKS, importing(s3="s3://bucket/a/b"), expect=202)
    await api.post(TASKS, importing(s3="s3://bucket", server="lake"), expect=202)


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize(
    "source",
    [
        {"s3": "https://bucket/a"},
        {"s3": "s3://B_ucket/a"},
        {"s3": "s3://bucket/a\\b"},
        {"server": "lake"},
        {"path": "/a", "server": "lake"},
        {"url": "https://example.org/a.zip", "upload": "0" * 32},
        {"project": PROJECT},
        {},
    ],
)
async def test_a_source_that_is_none_is_refused(api: Api, source: dict[str, str]) -> None:
    problem = await api.post(TASKS, importing(**source), expect=422)

    assert problem["errors"][0]["pointer"].startswith("/source")
