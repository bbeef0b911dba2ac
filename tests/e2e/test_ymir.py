"""The command ``ymir`` and a running service, each a process of its own."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path

import pytest

from schemas.task_states import TaskState
from schemas.tasks import Task
from tests.client.ymir.command import Ended
from tests.e2e.service import served
from tests.workers.pictures import a_voc_folder

pytestmark = pytest.mark.slow

SECONDS = 60.0


async def ymir(*words: str, environment: Mapping[str, str]) -> Ended:
    """Run the command to its end."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("YMIR_")}
    command = [sys.executable, "-m", "client.commands", *words]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env={**kept, **environment})
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())


async def test_files_that_a_service_cannot_read_are_sent_to_it(tmp_path: Path) -> None:
    voc = a_voc_folder(tmp_path / "here" / "voc")
    (tmp_path / "there").mkdir()
    asked = ("import", str(voc), "--into", "train", "--unknown-classes", "add", "--json")

    async with served(tmp_path / "data", import_root=tmp_path / "there") as service:
        far = {"YMIR_URL": service.url, "YMIR_KEY_FILE": str(tmp_path / "data" / "admin.key"), "YMIR_PROJECT": "cats"}
        near = {"YMIR_DATA": str(tmp_path / "data"), "YMIR_PROJECT": "cats"}
        await ymir("projects", "--add", "cats", environment=far)
        by_address = await ymir(*asked, environment=far)
        by_folder = await ymir(*asked, environment=near)
        asked_only = await ymir("sample", "train", "--count", "1", "--into", "few", "--no-wait", environment=near)
        watched = await ymir("watch", asked_only.out.strip(), environment=near)
        wrong = await ymir("projects", environment={**far, "YMIR_KEY": "another"})

    tasks = [Task.model_validate_json(ended.out) for ended in (by_address, by_folder)]
    assert [task.state for task in tasks] == [TaskState.SUCCEEDED] * 2
    assert all(task.parameters.type == "import" and task.parameters.source.upload for task in tasks)
    assert watched.out.startswith("few@1: 1 image")
    assert (wrong.status, wrong.out) == (1, "")
    assert wrong.err.startswith("Unauthorized: The key is not known.")
