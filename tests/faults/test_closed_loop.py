"""The whole loop closed by rules, on the production profile: from an import on nobody calls anything."""

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from PIL import Image
from standardwebhooks import Webhook as Signer

from schemas.datasets import Version
from schemas.models import Model
from schemas.projects import Project, ProjectSubmission
from schemas.rules import Rule, RuleRun
from schemas.task_states import TaskState
from schemas.tasks import Task
from schemas.webhooks import NewWebhook
from tests.faults.deployment import DETECTOR, deployed
from tests.faults.patient import Patient
from tests.faults.servers import Servers
from tests.faults.waiting import until
from tests.servers.label_studio import TOKEN
from tests.servers.studio_annotator import Annotator, annotating, rectangle
from tests.workers.delivery.endpoint import Endpoint, an_endpoint

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROJECT = "squares"
SIZE = (128, 96)
SIDE = 30
SECONDS = 240.0
PICKS = 3
CREATED = "ymir.dataset.version.created"
REF = "${data.dataset}@${data.number}"
TRAIN = {"type": "train", "model": "finder", "executor": "tiny-detector", "classes": ["cat"]}

# A new version of `train` is trained on, a new model mines, what was picked is labeled, and merged into `train`.
RULES: Mapping[str, Mapping[str, Any]] = {
    "train": {
        "when": {"type": CREATED, "where": {"data.dataset": "train"}},
        "then": {**TRAIN, "training": [{"ref": REF}], "validation": ["checked"]},
    },
    "mine": {
        "when": {"type": "ymir.model.created", "where": {"data.name": "finder"}},
        "then": {
            "type": "mine",
            "dataset": "picked",
            "source": "pool",
            "executor": "tiny-detector",
            "top_k": 3,
            "model": {"id": "${data.model}"},
            "labeled": ["train"],
        },
        # The second model is the last.
        "depth_at_most": 2,
    },
    "label": {
        "when": {"type": CREATED, "where": {"data.dataset": "picked"}},
        "then": {"type": "label", "dataset": "labeled", "source": REF, "tool": "studio", "classes": ["cat"]},
    },
    "merge": {
        "when": {"type": "ymir.task.succeeded", "where": {"data.type": "label"}},
        "then": {
            "type": "merge",
            "dataset": "train",
            "strategy": "guest",
            "sources": [{"ref": "train"}, {"ref": "${data.result.dataset}@${data.result.number}"}],
        },
    },
}


async def test_from_import_to_the_second_model_with_nobody_calling_in_between(
    servers: Servers, label_studio_url: str, tmp_path: Path
) -> None:
    truth = {name: pictures(tmp_path / name, seed=seed) for seed, name in enumerate(("start", "checked", "pool"))}
    settings = {
        "YMIR_PROCESS_EXECUTORS": str(DETECTOR),
        "YMIR_LABELING_TOOLS": orjson.dumps(
            {"studio": {"kind": "label_studio", "url": label_studio_url, "token": TOKEN}}
        ).decode(),
        "YMIR_LABELING_POLL_SECONDS": "3600",  # hooks alone tell of answers
        "YMIR_WEBHOOK_NETWORKS": "127.0.0.0/8",
        "YMIR_SLOTS": '{"data": 2, "executor": 1, "service": 8, "delivery": 4}',
    }
    async with (
        deployed(servers, tmp_path, workers=2, **settings) as deployment,
        deployment.client() as client,
        an_endpoint() as endpoint,
        annotating(label_studio_url) as somebody,
    ):
        await client.post(Project, "/v1/projects", ProjectSubmission(name=PROJECT, classes=("cat",)))
        for name in ("checked", "pool"):
            await client.ended(await client.submit(PROJECT, imported(tmp_path / name, into=name)))
        webhook = await client.post(NewWebhook, "/v1/webhooks", {"url": endpoint.url, "types": ["ymir.model.created"]})
        rules = [
            await client.post(Rule, "/v1/rules", {"name": name, "project": PROJECT, **rule})
            for name, rule in RULES.items()
        ]

        known = await projects_of(somebody)
        await client.ended(await client.submit(PROJECT, imported(tmp_path / "start", into="train")))
        await label_all(somebody, truth["pool"], known=known)
        await until(lambda: two_models(endpoint), seconds=SECONDS)

        models = [model async for model in client.items(Model, f"/v1/projects/{PROJECT}/models")]
        versions = [one async for one in client.items(Version, f"/v1/projects/{PROJECT}/datasets/train/versions")]
        tasks = [task async for task in client.items(Task, f"/v1/projects/{PROJECT}/tasks")]
        await until(lambda: refused(client, rules[1]), seconds=SECONDS)

    told = [Signer(webhook.secret).verify(came.body, dict(came.headers)) for came in endpoint.came]
    asked = [task for task in tasks if task.cause is not None]
    assert {event["data"]["model"] for event in told} == {model.id for model in models}
    assert len(models) == 2
    assert [version.counts.images for version in versions] == [len(truth["start"]) + PICKS, len(truth["start"])]
    assert sorted(task.parameters.type for task in asked) == ["label", "merge", "mine", "train", "train"]
    assert {task.state for task in asked} == {TaskState.SUCCEEDED}
    assert sorted(task.cause.depth for task in asked if task.cause) == [1, 2, 3, 4, 5]


def pictures(folder: Path, *, seed: int, count: int = 16) -> dict[str, dict[str, float]]:
    """Write a VOC folder of squares on noise; return where the square of each asset is, in percents."""
    chance, truth = np.random.default_rng(seed), dict[str, dict[str, float]]()
    folder.mkdir()
    for number in range(count):
        pixels = (chance.random((SIZE[1], SIZE[0], 3)) * 120).astype(np.uint8)
        x, y = (int(chance.integers(5, side - SIDE - 5)) for side in SIZE)
        pixels[y : y + SIDE, x : x + SIDE] = (250, 60, 60)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        box = f"<xmin>{x + 1}</xmin><ymin>{y + 1}</ymin><xmax>{x + SIDE}</xmax><ymax>{y + SIDE}</ymax>"
        size = f"<size><width>{SIZE[0]}</width><height>{SIZE[1]}</height><depth>3</depth></size>"
        named = f"<filename>{number}.png</filename>{size}<object><name>cat</name><bndbox>{box}</bndbox></object>"
        (folder / f"{number}.xml").write_text(f"<annotation>{named}</annotation>")
        asset = hashlib.sha256((folder / f"{number}.png").read_bytes()).hexdigest()
        place = {"x": 100 * x / SIZE[0], "y": 100 * y / SIZE[1]}
        truth[asset] = {**place, "width": 100 * SIDE / SIZE[0], "height": 100 * SIDE / SIZE[1]}
    return truth


def imported(folder: Path, *, into: str) -> Mapping[str, Any]:
    annotations = {"format": "none"} if into == "pool" else {}
    return {"type": "import", "dataset": into, "source": {"path": str(folder)}, **annotations}


async def projects_of(somebody: Annotator) -> set[str]:
    found = await somebody.call("GET", "/api/projects/", page_size="1000")
    return {str(project["id"]) for project in found["results"]}


async def label_all(somebody: Annotator, truth: Mapping[str, Mapping[str, float]], *, known: set[str]) -> None:
    """Label in Label Studio what the first project that appears there asks for."""

    async def appeared() -> Annotator | None:
        for project in await projects_of(somebody) - known:
            person = somebody.of(project)
            assets = set(await person.tasks())
            if len(assets) == PICKS and assets <= truth.keys() and await person.hooks():
                return person
        return None

    person = await until(appeared, seconds=SECONDS)
    for asset, task in (await person.tasks()).items():
        await person.submit(task["id"], [rectangle("cat", truth[asset], size=SIZE)])
        await asyncio.sleep(0.2)


async def two_models(endpoint: Endpoint) -> bool:
    return len({came.headers["webhook-id"] for came in endpoint.came}) >= 2


async def refused(client: Patient, rule: Rule) -> bool:
    """Return whether a rule went no deeper: it says so of the last model."""
    runs = [run async for run in client.items(RuleRun, f"/v1/rules/{rule.id}/runs")]
    return any(run.task is None and run.problem is not None for run in runs)
