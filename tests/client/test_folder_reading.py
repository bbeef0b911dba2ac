"""What is read of a folder past the gateway is what the gateway answers."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from client.api import connected
from client.calls import Calls, Query, Refused
from client.commands import main
from client.folder_gateway import readable
from client.folder_reading import FolderCalls, reading
from client.secret_files import ADMIN_KEY, secret
from tests.workers.pictures import a_voc_folder

pytestmark = pytest.mark.slow

P = "/v1/projects/cats"
PLAIN: Sequence[tuple[str, Query]] = [
    ("/v1/projects", {}),
    (P, {}),
    (f"{P}/classes", {}),
    (f"{P}/datasets", {}),
    (f"{P}/datasets", {"limit": 1}),
    (f"{P}/models", {}),
    (f"{P}/tasks", {"limit": 2}),
    (f"{P}/datasets/train/versions", {}),
    (f"{P}/datasets/train/tags", {}),
    (f"{P}/datasets/train/versions/1", {}),
    (f"{P}/datasets/train/versions/first", {}),
    (f"{P}/datasets/both/versions/1/history", {"limit": 2}),
]
OTHERS: Sequence[tuple[str, Query]] = [
    ("/v1/projects/gone", {}),
    ("/v1/projects/none/datasets", {}),
    (f"{P}/datasets/none/versions", {}),
    (f"{P}/datasets/few/versions", {}),
    (f"{P}/datasets/train/versions/7", {}),
    (f"{P}/datasets/train/versions/1/stats", {}),
    (f"{P}/datasets", {"removed": "true"}),
    (f"{P}/datasets", {"limit": 1_000_000}),
    (f"{P}/datasets", {"cursor": "nonsense"}),
    (f"{P}/tasks", {"state": "failed"}),
    ("/v1/tasks/none", {}),
    ("/v1/nowhere", {}),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with some of everything that is hidden, tagged or derived."""
    folder = tmp_path_factory.mktemp("made")
    a_voc_folder(folder / "voc")
    commands = [
        ["projects", "--add", "cats"],
        ["projects", "--add", "gone"],
        ["classes", "--add", "cat,kitten"],
        ["import", str(folder / "voc"), "--into", "train", "--tag", "first"],
        ["sample", "train", "--count", "1", "--into", "train"],
        ["sample", "train@1", "--count", "2", "--into", "few"],
        ["merge", "train", "few", "--strategy", "host", "--into", "both"],
    ]
    with patch.dict(os.environ, {"YMIR_DATA": str(folder / "data"), "YMIR_PROJECT": "cats"}):
        assert [main(command) for command in commands] == [0] * len(commands)
    asyncio.run(hide(folder / "data", f"{P}/datasets/few", "/v1/projects/gone"))
    return folder / "data"


@pytest.fixture
async def calls(data: Path) -> AsyncIterator[tuple[FolderCalls, Calls]]:
    """Open what reads the folder, and the gateway."""
    key = secret(data, ADMIN_KEY)

    async def known() -> str:
        return key

    async with readable(data) as url, connected(url, key) as client, reading(data, key=known) as folder:
        yield folder, client.calls


async def hide(data: Path, *paths: str) -> None:
    async with readable(data) as url, connected(url, secret(data, ADMIN_KEY)) as client:
        for path in paths:
            await client.delete(path)


async def answer(calls: Calls, path: str, query: Query) -> Any:  # noqa: ANN401 - whatever is answered
    try:
        return json.loads(await calls.answer("GET", path, query=query))
    except Refused as refused:
        return refused.problem


@pytest.mark.parametrize(("path", "query"), [*PLAIN, *OTHERS])
async def test_the_answer_is_that_of_the_gateway(calls: tuple[FolderCalls, Calls], path: str, query: Query) -> None:
    folder, gateway = calls

    assert await answer(folder, path, query) == await answer(gateway, path, query)


@pytest.mark.parametrize(("path", "query"), PLAIN)
async def test_what_is_plain_needs_no_gateway(calls: tuple[FolderCalls, Calls], path: str, query: Query) -> None:
    folder, _ = calls

    await folder.answer("GET", path, query=query)

    assert folder._gateway is None


async def test_pages_follow_one_another(calls: tuple[FolderCalls, Calls]) -> None:
    folder, gateway = calls
    for path in (f"{P}/tasks", f"{P}/datasets/both/versions/1/history"):
        first = await answer(folder, path, {"limit": 1})
        second = {"limit": 1, "cursor": first["next"]}

        assert await answer(folder, path, second) == await answer(gateway, path, second)


async def test_a_task_is_that_of_the_gateway(calls: tuple[FolderCalls, Calls]) -> None:
    folder, gateway = calls
    task = (await answer(gateway, f"{P}/tasks", {}))["items"][0]["id"]

    assert await answer(folder, f"/v1/tasks/{task}", {}) == await answer(gateway, f"/v1/tasks/{task}", {})
