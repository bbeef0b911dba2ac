"""Asking for tasks, and what becomes of the asking."""

import asyncio
import io
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from typing_extensions import override

from gateway import acceptance, errands
from gateway.app import build_app
from gateway.services import Services
from schemas.datasets import Tag, tag_id
from schemas.errors import Unavailable
from schemas.executors import Purpose
from schemas.labeling import JobState, LabelingJob
from schemas.live_logs import LiveLog
from schemas.outcomes import Outcome
from schemas.parameters import Slot
from schemas.schema import new_id
from schemas.task_states import TaskState
from schemas.tasks import Doorbell, Task
from schemas.uploads import Upload
from storage.local_bus import LocalBus
from tests.factories import NOON, WORKER, a_task
from tests.gateway.api import JSON, MEMBER, Api
from tests.gateway.world import PROJECT, World

pytestmark = pytest.mark.usefixtures("world")

TASKS = f"/v1/projects/{PROJECT}/tasks"
SAMPLE = {"type": "sample", "dataset": "few", "source": "pool", "count": 1}
TRAIN = {
    "type": "train",
    "executor": "tiny-detector",
    "training": [{"ref": "pool"}],
    "model": "detector",
    "classes": ["robin"],
}


async def test_a_task_is_kept_with_what_its_refs_name_and_the_bell_rings(api: Api, world: World) -> None:
    version = await world.version()
    async with api.services.bus.doorbells(Slot.DATA) as doorbells:
        response = await api.raw("POST", TASKS, json=SAMPLE)
        task = await response.json()

        async with asyncio.timeout(5):
            delivery = await anext(doorbells)
            await delivery.acknowledge()

    assert response.headers["Location"] == f"/v1/tasks/{task['id']}"
    assert task["inputs"] == [{"pointer": "/source", "ref": "pool", "version": version.id}]
    assert delivery.doorbell.task == task["id"]
    assert (await api.get(f"/v1/tasks/{task['id']}"))["state"] == "queued"


async def test_that_a_task_was_queued_is_announced(api: Api, world: World) -> None:
    await world.version()

    async with api.services.bus.events("ymir.task.queued") as events, asyncio.timeout(5):
        task = await api.post(TASKS, SAMPLE, expect=202)
        event = await anext(events)

    assert event.subject == task["id"]
    assert [item["event"]["subject"] for item in (await api.get("/v1/events"))["items"]] == [task["id"]]


async def test_everything_that_is_wrong_is_said_at_once(api: Api) -> None:
    body = {
        **TRAIN,
        "training": [{"ref": "pool"}, {"ref": "pond@3"}],
        "validation": ["lake"],
        "classes": ["robin", "wrenn"],
        "pretrained": {"id": "0" * 32},
    }

    problem = await api.post(TASKS, body, expect=422)

    faults = {error["pointer"]: error["detail"] for error in problem["errors"]}
    assert set(faults) == {
        "/training/0/ref",
        "/training/1/ref",
        "/validation/0",
        "/classes/1",
        "/executor",
        "/pretrained/id",
    }
    assert "'wren'" in faults["/classes/1"]
    assert (await api.get(TASKS))["items"] == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"surce": "pool"}, "/surce"),
        ({"count": "many"}, "/count"),
        ({"source": "not a ref"}, "/source"),
        ({"dataset": "../etc"}, "/dataset"),
        ({"tag": "7"}, "/tag"),
        ({"count": None}, ""),
        ({"type": "sing"}, ""),
    ],
)
async def test_a_malformed_task_is_refused_where_it_is_wrong(api: Api, change: JSON, pointer: str) -> None:
    problem = await api.post(TASKS, {**SAMPLE, **change}, expect=422)

    assert [error.get("pointer", "") for error in problem["errors"]] == [pointer]
    assert problem["step"]


async def test_a_type_that_no_worker_handles_is_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptance, "OFFERED", frozenset({"sample"}))

    problem = await api.post(TASKS, {"type": "pull_executor", "name": "detector", "reference": "a:1"}, expect=422)

    assert problem["errors"][0]["pointer"] == "/type"
    assert "sample" in problem["step"]


async def test_only_an_administrator_has_an_executor_pulled(api: Api) -> None:
    body = {"type": "pull_executor", "name": "detector", "reference": "registry/detector:1"}
    member = api.bearing(MEMBER)

    await member.post(TASKS, body, expect=403)
    task = await api.post(TASKS, body, expect=202)

    assert task["slot"] == "executor"
    await api.post(f"/v1/tasks/{task['id']}/cancel", expect=202)
    await member.post(f"/v1/tasks/{task['id']}/retry", expect=403)
    await api.post(f"/v1/tasks/{task['id']}/retry", expect=202)


async def test_a_tag_that_names_a_version_is_refused_and_one_that_names_nothing_is_not(api: Api, world: World) -> None:
    version = await world.version()
    for name, named in (("taken", version.id), ("free", new_id())):
        await world.add(
            Tag(
                id=tag_id(version.dataset, name),
                project=version.project,
                dataset=version.dataset,
                name=name,
                version=named,
            )
        )

    problem = await api.post(TASKS, {**SAMPLE, "dataset": "pool", "tag": "taken"}, expect=422)
    await api.post(TASKS, {**SAMPLE, "dataset": "pool", "tag": "free"}, expect=202)

    assert [error["pointer"] for error in problem["errors"]] == ["/tag"]


async def test_an_executor_without_a_template_for_it_is_refused(api: Api, world: World) -> None:
    await world.version()
    await world.executor(Purpose.INFER)

    problem = await api.post(TASKS, TRAIN, expect=422)

    assert [error["pointer"] for error in problem["errors"]] == ["/executor"]


async def test_aliases_become_main_names(api: Api, world: World) -> None:
    await world.version()
    await world.executor()
    await api.patch(f"/v1/projects/{PROJECT}/classes/robin", {"aliases": ["redbreast"]})

    task = await api.post(TASKS, {**TRAIN, "classes": ["Redbreast", "wren", "robin"]}, expect=202)

    assert task["parameters"]["classes"] == ["robin", "wren"]


async def test_a_stage_that_a_model_lacks_is_refused(api: Api, world: World) -> None:
    await world.version()
    await world.executor()
    model = await world.model()
    body = {"type": "infer", "dataset": "d", "source": "pool", "executor": "tiny-detector", "model": {"id": model.id}}

    await api.post(TASKS, body, expect=202)
    problem = await api.post(TASKS, {**body, "model": {"id": model.id, "stage": "worst"}}, expect=422)

    assert problem["errors"] == [
        {"detail": "The model has no such stage. It has: best, last.", "pointer": "/model/stage"}
    ]


async def test_a_layer_that_the_version_lacks_is_refused(api: Api, world: World) -> None:
    await world.version()
    body = {"type": "evaluate", "source": "pool", "layer": "detector@best"}

    problem = await api.post(TASKS, body, expect=422)

    assert [error["pointer"] for error in problem["errors"]] == ["/layer"]
    assert "ground_truth" in problem["errors"][0]["detail"]


@pytest.mark.parametrize("path", ["/etc", "{roots}/../outside", "{roots}/link", "imports", "{roots}/absent", "\x00"])
async def test_a_path_outside_the_import_roots_is_refused(api: Api, tmp_path: Path, path: str) -> None:
    roots = tmp_path / "imports"
    (tmp_path / "outside").mkdir()
    (roots / "link").symlink_to(tmp_path / "outside")
    source = {"path": path.format(roots=roots)}

    problem = await api.post(TASKS, {"type": "import", "dataset": "d", "source": source}, expect=422)

    assert [error["pointer"] for error in problem["errors"]] == ["/source/path"]


async def test_a_path_inside_the_import_roots_is_accepted(api: Api, tmp_path: Path) -> None:
    (tmp_path / "imports" / "birds").mkdir()
    source = {"path": str(tmp_path / "imports" / "birds")}

    await api.post(TASKS, {"type": "import", "dataset": "d", "source": source}, expect=202)


async def test_an_upload_that_does_not_exist_is_refused(api: Api) -> None:
    source = {"upload": "0" * 32}

    problem = await api.post(TASKS, {"type": "import", "dataset": "d", "source": source}, expect=422)

    assert problem["errors"][0]["pointer"] == "/source/upload"


async def test_a_dataset_that_is_hidden_takes_no_version(api: Api, world: World) -> None:
    await world.version()
    await world.version("other")
    await api.delete(f"/v1/projects/{PROJECT}/datasets/other", expect=204)

    problem = await api.post(TASKS, {**SAMPLE, "dataset": "other"}, expect=422)

    assert [error["pointer"] for error in problem["errors"]] == ["/dataset"]


async def test_classes_and_layers_of_a_filter_are_checked_and_aliases_become_main_names(api: Api, world: World) -> None:
    await world.version()
    await api.patch(f"/v1/projects/{PROJECT}/classes/robin", {"aliases": ["redbreast"]})
    asked: JSON = {"type": "filter", "dataset": "d", "source": "pool"}

    accepted = await api.post(TASKS, {**asked, "include_classes": ["redbreast"]}, expect=202)
    wrong = {**asked, "exclude_classes": ["robbin"], "layers": ["nolayer"]}
    problem = await api.post(TASKS, wrong, expect=422)

    assert accepted["parameters"]["include_classes"] == ["robin"]
    assert sorted(error["pointer"] for error in problem["errors"]) == ["/exclude_classes/0", "/layers/0"]


async def test_a_tool_that_does_not_exist_is_refused(api: Api, world: World) -> None:
    await world.version()
    body = {"type": "label", "dataset": "d", "source": "pool", "classes": ["robin"], "tool": "pencil"}

    problem = await api.post(TASKS, body, expect=422)

    assert [error["pointer"] for error in problem["errors"]] == ["/tool"]


async def test_a_ref_with_a_number_beyond_every_version_is_refused(api: Api, world: World) -> None:
    await world.version()

    problem = await api.post(TASKS, {**SAMPLE, "source": "pool@" + "9" * 90}, expect=422)

    assert problem["errors"][0]["pointer"] == "/source"


class DeadBus(LocalBus):
    """Rings nobody."""

    @override
    async def ring(self, doorbell: Doorbell) -> None:
        raise Unavailable("The broker is away.")


class HangingBus(LocalBus):
    """Never comes back."""

    @override
    async def ring(self, doorbell: Doorbell) -> None:
        await asyncio.Event().wait()


@pytest.mark.parametrize("bus", [DeadBus(), HangingBus()])
async def test_a_task_is_accepted_whatever_the_bus_does(services: Services, world: World, bus: LocalBus) -> None:
    await world.version()
    settings = services.settings.model_copy(update={"errand_seconds": 0.05})
    app = build_app(replace(services, bus=bus, settings=settings))

    async with TestClient(TestServer(app)) as client, asyncio.timeout(5):
        task = await Api(client).post(TASKS, SAMPLE, expect=202)

    assert (await services.database.documents(Task).get(task["id"])).state is TaskState.QUEUED


async def test_a_gateway_ends_in_time_while_the_bus_hangs(
    services: Services, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.version()
    monkeypatch.setattr(errands, "FINISH_SECONDS", 0.05)
    app = build_app(replace(services, bus=HangingBus()))

    async with asyncio.timeout(services.settings.errand_seconds / 2), TestClient(TestServer(app)) as client:
        task = await Api(client).post(TASKS, SAMPLE, expect=202)

    assert (await services.database.documents(Task).get(task["id"])).state is TaskState.QUEUED


async def test_a_queued_task_is_cancelled_at_once_and_then_is_final(api: Api, world: World) -> None:
    await world.version()
    task = await api.post(TASKS, SAMPLE, expect=202)

    cancelled = await api.post(f"/v1/tasks/{task['id']}/cancel", expect=202)
    problem = await api.post(f"/v1/tasks/{task['id']}/cancel", expect=409)

    assert cancelled["state"] == "cancelled"
    assert "cancelled" in problem["detail"]


async def test_a_running_task_is_asked_to_stop(api: Api, world: World) -> None:
    running = a_task(project=world.project.id).claimed(by=WORKER, at=NOON)
    await world.add(running)

    asked = await api.post(f"/v1/tasks/{running.id}/cancel", expect=202)
    again = await api.post(f"/v1/tasks/{running.id}/cancel", expect=202)

    assert (asked["state"], asked["cancel_requested"]) == ("running", True)
    assert again["cancel_requested"]


async def test_a_decided_task_cannot_be_cancelled(api: Api, world: World) -> None:
    decided = a_task(project=world.project.id).claimed(by=WORKER, at=NOON).decided(Outcome(), at=NOON)
    await world.add(decided)

    await api.post(f"/v1/tasks/{decided.id}/cancel", expect=409)


async def test_a_waiting_label_task_that_is_cancelled_closes_its_job(api: Api, world: World) -> None:
    job = await world.job(await world.version())

    cancelled = await api.post(f"/v1/tasks/{job.task}/cancel", expect=202)

    assert cancelled["state"] == "cancelled"
    assert (await api.services.database.documents(LabelingJob).get(job.id)).state is JobState.CLOSED


async def test_a_cancelled_task_is_tried_again_as_a_new_one(api: Api, world: World) -> None:
    await world.version()
    task = await api.post(TASKS, SAMPLE, expect=202)
    await api.post(f"/v1/tasks/{task['id']}/retry", expect=409)
    await api.post(f"/v1/tasks/{task['id']}/cancel", expect=202)

    headers = {"Idempotency-Key": '"again"'}
    retried = await api.post(f"/v1/tasks/{task['id']}/retry", expect=202, headers=headers)
    same = await api.post(f"/v1/tasks/{task['id']}/retry", expect=202, headers=headers)

    assert (retried["retry_of"], retried["inputs"]) == (task["id"], task["inputs"])
    assert same["id"] == retried["id"] != task["id"]


async def test_tasks_are_listed_by_state_and_type(api: Api, world: World) -> None:
    await world.version()
    first = await api.post(TASKS, SAMPLE, expect=202)
    await api.post(TASKS, {**SAMPLE, "dataset": "other"}, expect=202)
    await api.post(f"/v1/tasks/{first['id']}/cancel", expect=202)

    queued = await api.get(f"{TASKS}?state=queued&state=running&type=sample")
    cancelled = await api.get(f"{TASKS}?state=cancelled")

    assert [task["parameters"]["dataset"] for task in queued["items"]] == ["other"]
    assert [task["id"] for task in cancelled["items"]] == [first["id"]]
    await api.get(f"{TASKS}?state=asleep", expect=422)
    await api.get(f"{TASKS}?colour=red", expect=422)
    await api.get(f"{TASKS}?limit=1001", expect=422)


async def test_the_files_of_a_task_are_sent(api: Api, world: World) -> None:
    blobs = api.services.blobs
    report = await blobs.put(b'{"summary": {"images": 3}}', media_type="application/json")
    log = await blobs.put(b"epoch 1\n", media_type="text/plain")
    archive = await blobs.put(b"PK", media_type="application/zip")
    running = a_task(project=world.project.id).claimed(by=WORKER, at=NOON)
    result = running.result.model_copy(update={"archive": archive})
    ended = running.ended(Outcome(result=result, report=report, log=log), at=NOON)
    await world.add(ended)

    told = await api.get(f"/v1/tasks/{ended.id}/report")
    written = await api.raw("GET", f"/v1/tasks/{ended.id}/log")
    sent = await api.client.get(f"/v1/tasks/{ended.id}/archive", headers={"Authorization": f"Bearer {api.secret}"})

    assert told["summary"] == {"images": 3}
    assert await written.text() == "epoch 1\n"
    assert await sent.read() == b"PK"
    assert sent.content_type == "application/zip"
    assert f"{ended.id}.zip" in sent.headers["Content-Disposition"]


async def test_the_log_of_a_running_task_is_what_it_has_printed_so_far(api: Api, world: World) -> None:
    running = a_task(project=world.project.id).claimed(by=WORKER, at=NOON)
    await world.add(running)
    await world.add(LiveLog(id=running.id, epoch=1, left_out=7, text="epoch 2\n", written_at=NOON))

    response = await api.raw("GET", f"/v1/tasks/{running.id}/log")

    assert await response.text() == "[... 7 bytes before ...]\nepoch 2\n"
    assert response.content_type == "text/plain"
    assert response.headers["Cache-Control"] == "no-store"


async def test_a_file_that_a_task_has_not_written_is_not_found(api: Api, world: World) -> None:
    task = a_task(project=world.project.id)
    await world.add(task)

    problem = await api.get(f"/v1/tasks/{task.id}/report", expect=404)

    assert "queued" in problem["step"]


async def test_an_upload_is_sent_shown_and_named_by_an_import(api: Api) -> None:
    sent = await api.call("PUT", "/v1/uploads/birds.zip", expect=201, data=b"PK\x05\x06" + bytes(18))

    shown = await api.get(f"/v1/uploads/{sent['id']}")
    same = await api.call("PUT", "/v1/uploads/birds.zip", expect=201, data=b"PK\x05\x06" + bytes(18))
    body = {"type": "import", "dataset": "d", "source": {"upload": sent["id"]}}
    task = await api.post(TASKS, body, expect=202)

    assert (shown["name"], shown["blob"]["size"]) == ("birds.zip", 22)
    assert same["id"] == sent["id"]
    assert task["parameters"]["source"]["upload"] == sent["id"]


@pytest.mark.parametrize(
    ("data", "name", "status"),
    [(b"", "a.zip", 422), (bytes(2**20 + 1), "a.zip", 413), (b"x", "a%2Fb.zip", 422), (b"x", "a" * 300, 422)],
)
async def test_an_upload_that_cannot_be_kept_leaves_nothing(
    api: Api, tmp_path: Path, data: bytes, name: str, status: int
) -> None:
    await api.call("PUT", f"/v1/uploads/{name}", expect=status, data=io.BytesIO(data))

    assert not await asyncio.to_thread(lambda: list(tmp_path.glob("ymir-upload-*")))
    assert await api.services.database.documents(Upload).count() == 0


@pytest.mark.parametrize(
    ("asked", "pointer", "told"),
    [
        ({"strategy": "psychic"}, "/strategy", "Known: auto, executor"),
        ({"strategy": {"entropy": 1, "psychic": 2}}, "/strategy", "'psychic'"),
        ({"strategy": {"executor": 1, "cald": 2}}, "/strategy", "runs once"),
        ({"strategy": {"random": 0}}, "/strategy", "greater than 0"),
        ({"strategy": "entropy"}, "/model", "needs it"),
        ({"strategy": "random", "keep_predictions": True}, "/executor", "needs it"),
        ({"strategy": "random", "executor": "nobody"}, "/executor", "No executor of that name"),
    ],
)
async def test_a_mining_that_cannot_be_is_refused(
    api: Api, world: World, asked: dict[str, object], pointer: str, told: str
) -> None:
    await world.version()
    task = {"type": "mine", "dataset": "picked", "source": "pool", "top_k": 1, **asked}

    problem = await api.post(f"/v1/projects/{PROJECT}/tasks", task, expect=422)

    faults = [fault["detail"] for fault in problem["errors"] if fault["pointer"].startswith(pointer)]
    assert any(told in fault for fault in faults), problem


@pytest.mark.parametrize("strategy", ["random", "auto", {"dedup": 1, "typiclust": 0.5}])
async def test_a_mining_without_a_model_is_accepted_where_the_strategy_needs_none(
    api: Api, world: World, strategy: object
) -> None:
    await world.version()
    task = {"type": "mine", "dataset": "picked", "source": "pool", "top_k": 1, "strategy": strategy}

    kept = await api.post(f"/v1/projects/{PROJECT}/tasks", task, expect=202)

    assert kept["parameters"]["strategy"] == strategy
