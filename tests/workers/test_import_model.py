"""Importing a model package that was made elsewhere."""

import tarfile
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from schemas.annotations import ObjectType
from schemas.errors import Invalid
from schemas.exchange_parameters import ImportModelParameters
from schemas.model_parameters import Preprocess
from schemas.models import Model
from schemas.outcomes import ModelRecord, Outcome
from schemas.schema import new_id
from schemas.uploads import Upload
from tests.factories import NOON
from tests.workers.loop_world import World, a_world
from workers.handlers.import_model import import_model
from workers.importing.settings import ImportSettings
from workers.packages import read_info, unpack_stage

CAT, DOG = "cat", "dog"
INFO: dict[str, Any] = {
    "executor_config": {"class_names": [CAT, DOG], "epochs": 3},
    "task_context": {"executor": "other/detector:1", "producer": "ymir"},
    "stages": {
        "epoch_1": {"stage_name": "epoch_1", "files": ["a.params"], "timestamp": 1, "mAP": 0.25},
        "epoch_2": {"stage_name": "epoch_2", "files": ["a.params", "b.json"], "timestamp": 2, "mAP": 0.5, "tp": 7},
    },
    "best_stage_name": "epoch_2",
    "attachments": {"curves": ["loss.csv"]},
    "evaluate_config": {"iou_thr": 0.5, "conf_thr": 0.005},
    "object_type": 2,
    "package_version": "2.0.0",
}
FILES = {
    "epoch_1/a.params": b"1",
    "epoch_2/a.params": b"22",
    "epoch_2/b.json": b"{}",
    "attachments/curves/loss.csv": b"1,2",
}
OLD_INFO: dict[str, Any] = {
    "executor_config": {"class_names": [CAT]},
    "task_context": {"mAP": 0.75, "executor": "old:1"},
    "models": ["model.params"],
}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


def a_package(
    path: Path, info: dict[str, Any], files: dict[str, bytes], *, mode: Literal["w", "w:gz", "w:xz"] = "w:gz"
) -> Path:
    folder = path.with_suffix(".d")
    for name, data in {**files, "ymir-info.yaml": yaml.safe_dump(info).encode()}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    with tarfile.open(path, mode) as archive:
        for member in sorted(folder.iterdir()):
            archive.add(member, member.name)
    return path


async def imported(world: World, package: Path, **source: str) -> Outcome:
    asked = ImportModelParameters.model_validate({"model": "detector", "source": source or {"path": str(package)}})
    return await import_model(
        world.work(asked, {}),
        blobs=world.blobs,
        database=world.database,
        settings=ImportSettings.model_validate(
            {"import_roots": (package.parent,), "private_networks": ("127.0.0.0/8",)}
        ),
    )


def model_of(outcome: Outcome) -> Model:
    (record,) = outcome.records
    assert isinstance(record, ModelRecord)
    return record.model


async def test_a_package_becomes_a_model_with_all_its_stages(world: World, tmp_path: Path) -> None:
    model = model_of(await imported(world, a_package(tmp_path / "hash", INFO, FILES)))

    assert (model.name, model.object_type, model.classes) == ("detector", ObjectType.DETECTION, (CAT, DOG))
    assert {stage.name: stage.metrics for stage in model.stages} == {
        "epoch_1": {"mAP": 0.25},
        "epoch_2": {"mAP": 0.5, "tp": 7.0},
    }
    assert (model.best_stage, model.recommended_stage, model.executor) == ("epoch_2", "epoch_2", "other/detector:1")


async def test_what_is_kept_is_a_package_with_the_same_files(world: World, tmp_path: Path) -> None:
    model = model_of(await imported(world, a_package(tmp_path / "hash", INFO, FILES)))

    await world.blobs.fetch(model.package.digest, tmp_path / "kept")

    with tarfile.open(tmp_path / "kept") as archive:
        assert set(archive.getnames()) == {*FILES, "ymir-info.yaml"}
    info = read_info(tmp_path / "kept")
    assert info["executor_config"] == INFO["executor_config"]
    assert info["evaluate_config"] == INFO["evaluate_config"]


async def test_the_layout_before_2_0_is_read(world: World, tmp_path: Path) -> None:
    package = a_package(tmp_path / "old.tar", OLD_INFO, {"model.params": b"w"}, mode="w")

    model = model_of(await imported(world, package))

    assert [(stage.name, stage.metrics, stage.files) for stage in model.stages] == [
        ("default_best_stage", {"mAP": 0.75}, ("model.params",))
    ]
    await world.blobs.fetch(model.package.digest, tmp_path / "kept")
    assert unpack_stage(tmp_path / "kept", "default_best_stage", tmp_path / "out") == ("model.params",)


async def test_equal_content_makes_equal_packages(world: World, tmp_path: Path) -> None:
    one = model_of(await imported(world, a_package(tmp_path / "one", INFO, FILES)))
    two = model_of(await imported(world, a_package(tmp_path / "two.tar.xz", INFO, FILES, mode="w:xz")))

    assert one.package == two.package


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"best_stage_name": "epoch_9"}, "ymir-info.yaml: best_stage_name"),
        ({"object_type": 7}, "ymir-info.yaml: object_type"),
        ({"stages": {}}, "ymir-info.yaml: stages"),
        ({"stages": {"epoch_2": {"files": ["none.bin"]}}}, "ymir-info.yaml: stages.epoch_2.files[0]"),
        ({"stages": {"epoch_2": {"files": ["b.json"], "mAP": 2}}}, "ymir-info.yaml: stages.epoch_2.mAP"),
        ({"stages": {"epoch_2": {"files": ["../epoch_1/a.params"]}}}, "ymir-info.yaml: stages.epoch_2.files[0]"),
        ({"executor_config": {}}, "ymir-info.yaml: executor_config.class_names"),
        ({"executor_config": {"class_names": ["a,b"]}}, "ymir-info.yaml: executor_config.class_names[0]"),
        ({"executor_config": {"class_names": ["a", "A"]}}, "ymir-info.yaml: executor_config.class_names"),
        ({"task_context": None}, "ymir-info.yaml: task_context"),
        ({"task_context": {"at": date(2022, 1, 1)}}, "ymir-info.yaml: task_context"),
    ],
)
async def test_what_breaks_a_rule_is_named(world: World, tmp_path: Path, change: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        await imported(world, a_package(tmp_path / "hash", {**INFO, **change}, FILES))

    assert [fault.pointer for fault in refused.value.faults] == [pointer]


@pytest.mark.parametrize("text", [b"a: [", b"- a", b"\xff\xfe", b"a: &a [*a]"])
async def test_information_that_cannot_be_read_is_refused(world: World, tmp_path: Path, text: bytes) -> None:
    package = a_package(tmp_path / "hash", {}, {})
    (tmp_path / "hash.d/ymir-info.yaml").write_bytes(text)
    with tarfile.open(package, "w:gz") as archive:
        archive.add(tmp_path / "hash.d/ymir-info.yaml", "ymir-info.yaml")

    with pytest.raises(Invalid, match=r"ymir-info\.yaml|faults"):
        await imported(world, package)


async def test_a_model_of_another_object_type_is_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="for instance_segmentation"):
        await imported(world, a_package(tmp_path / "hash", {**INFO, "object_type": 4}, FILES))


async def test_classes_that_the_project_does_not_know_are_told(world: World, tmp_path: Path) -> None:
    info = {**INFO, "executor_config": {"class_names": [CAT, "zebra"]}}

    outcome = await imported(world, a_package(tmp_path / "hash", info, FILES))

    assert outcome.warnings == ("The project does not know these classes of the model: zebra.",)


async def test_attachments_and_thresholds_are_told_of_the_model(world: World, tmp_path: Path) -> None:
    model = model_of(await imported(world, a_package(tmp_path / "hash", INFO, FILES)))

    assert model.attachments == ("attachments/curves/loss.csv",)
    assert model.evaluate_config == {"iou_thr": 0.5, "conf_thr": 0.005}


async def test_a_package_that_goes_out_and_comes_in_again_is_the_same(world: World, tmp_path: Path) -> None:
    resized = {**INFO, "task_context": {"preprocess": {"longside_resize": {"dest_size": 640}}}}
    first = model_of(await imported(world, a_package(tmp_path / "hash", resized, FILES)))
    await world.blobs.fetch(first.package.digest, tmp_path / "kept.tar.gz")

    second = model_of(await imported(world, tmp_path / "kept.tar.gz"))

    assert second.package == first.package
    assert second.stages == first.stages
    assert second.preprocess == first.preprocess == Preprocess(long_side=640)


async def test_a_package_comes_from_a_url_or_an_upload_as_from_a_path(world: World, tmp_path: Path) -> None:
    package = a_package(tmp_path / "hash", INFO, FILES)
    blob = await world.blobs.put(package.read_bytes())
    upload = Upload(id=new_id(), name="model.tar.gz", blob=blob, created_by="somebody", created_at=NOON)
    await world.database.documents(Upload).add(upload)
    app = web.Application()

    async def sent(_: web.Request) -> web.FileResponse:
        return web.FileResponse(package)

    app.router.add_get("/hash", sent)
    async with TestServer(app) as server:
        url = f"http://127.0.0.1:{server.port}/hash"
        outcomes = [await imported(world, package, **one) for one in ({"url": url}, {"upload": upload.id}, {})]

    assert len({model_of(outcome).package.digest for outcome in outcomes}) == 1
