"""Two lines that were edited elsewhere are merged, and their conflict is answered after the service was killed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from client.api import Client
from schemas.algebra_parameters import BranchParameters, MergeParameters, RevertParameters
from schemas.conflicts import Conflict, ConflictStatus, Resolutions, Take
from schemas.diffs import AssetDiff
from schemas.parameters import Parameters
from schemas.projects import Project, ProjectSubmission
from schemas.reports import Report
from schemas.task_states import TaskState
from schemas.tasks import Task
from tests.e2e.service import served

pytestmark = pytest.mark.slow

Boxes = list[dict[str, Any]]
VERSIONS = "/v1/projects/p/datasets/{}/versions"


async def test_a_merge_waits_through_a_kill_and_ends_with_what_was_answered(tmp_path: Path) -> None:
    for name, edit in (("base", nothing), ("ours", ours), ("theirs", theirs)):
        a_coco_folder(tmp_path / "files" / name, edit)
    async with served(tmp_path / "data", import_root=tmp_path / "files") as service:
        async with service.client() as client:
            await client.post(Project, "/v1/projects", ProjectSubmission(name="p"))
            for name in ("base", "ours", "theirs"):
                base = {} if name == "base" else {"base": "base"}
                await ended(client, an_import(tmp_path / "files" / name, dataset=name, **base))
            task = await client.submit("p", MergeParameters(dataset="merged", ours="ours", theirs="theirs"))
            async for now in client.looks(task):
                if now.state is TaskState.WAITING:
                    break
        await service.kill()
        await service.start()

        async with service.client() as client:
            path = f"/v1/tasks/{task.id}/conflicts"
            [conflict] = [found async for found in client.items(Conflict, path)]
            status = await client.post(ConflictStatus, f"{path}/resolve", Resolutions(all=Take.THEIRS))
            merged = await client.ended(task)
            report = await client.get(Report, f"/v1/tasks/{task.id}/report")
            path = VERSIONS.format("merged") + "/1/diff/assets"
            diffs = [found async for found in client.items(AssetDiff, path, against="base@1")]
            branch = await ended(client, BranchParameters(dataset="side", source="base@1"))
            revert = await ended(client, RevertParameters(dataset="merged", source="merged@1"))

    assert (conflict.kind, conflict.file_name, status.open) == ("edited", "images/1.png", 0)
    assert merged.result.summary["base"] == "base@1"
    [finding] = report.findings
    assert "theirs was taken, as admin said" in finding.detail
    changes = [layer for diff in diffs for layer in diff.layers.values()]
    assert sorted((len(one.added), len(one.removed), len(one.changed)) for one in changes) == [(0, 1, 1), (1, 0, 1)]
    assert branch.result.number == 1
    assert (revert.result.number, revert.result.digest) == (2, merged.result.digest)


async def ended(client: Client, asked: Parameters | dict[str, Any]) -> Task:
    return await client.ended(await client.submit("p", asked))


def an_import(folder: Path, **asked: str) -> dict[str, Any]:
    return {"type": "import", "source": {"path": str(folder)}, "unknown_classes": "add", **asked}


def a_coco_folder(folder: Path, edit: Callable[[Boxes], None]) -> None:
    (folder / "images").mkdir(parents=True)
    images, boxes = [], Boxes()
    for number in range(3):
        name = f"{number}.png"
        Image.new("RGB", (200, 100), (number, 0, 0)).save(folder / "images" / name)
        images.append({"id": number, "file_name": name, "width": 200, "height": 100})
        boxes += [a_box(10 * number + place, number, x=60 * place) for place in range(2)]
    edit(boxes)
    document = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
    (folder / "annotations.json").write_text(json.dumps(document))


def a_box(identity: int, image: int, *, x: int) -> dict[str, Any]:
    return {"id": identity, "image_id": image, "category_id": 1, "bbox": [x, 10, 40, 40], "area": 1600, "iscrowd": 0}


def nothing(_: Boxes) -> None:
    """Leave it as it is."""


def ours(boxes: Boxes) -> None:
    """Remove one of the first image; move one of the second."""
    del boxes[0]
    boxes[1]["bbox"][0] += 4


def theirs(boxes: Boxes) -> None:
    """Move the other one of the first image, and the same as ours elsewhere; add one to the second."""
    boxes[1]["bbox"][1] += 4
    boxes[2]["bbox"][1] += 4
    boxes.append(a_box(99, 1, x=150))
