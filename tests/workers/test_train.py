"""Train: from versions to a model, and every way in which an executor can disappoint."""

import asyncio
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.errors import Invalid, NotFound
from schemas.executors import Limits
from schemas.model_parameters import TrainParameters
from schemas.outcomes import Outcome
from schemas.splits import Split
from schemas.training_logs import ScalarTable
from tests.workers.loop_world import (
    CAT,
    DOG,
    FIFO,
    TRAINS,
    World,
    a_world,
    comes,
    config_of,
    model_of,
    python,
    signals,
    trains,
)
from workers.handlers.train import train
from workers.packages import read_info, unpack_stage
from workers.work import Stopping, Work

LABELS = [[CAT], [CAT, DOG], [], [DOG], None]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


def asked(**changes: object) -> TrainParameters:
    fields = {
        "executor": "fake",
        "training": [{"ref": "pictures"}],
        "validation": ["others"],
        "model": "animals",
        "classes": ["cat"],
    }
    return TrainParameters.model_validate({**fields, **changes})


async def an_attempt(world: World, **changes: object) -> Work[TrainParameters]:
    training = await world.version(await world.pictures(LABELS))
    validation = await world.version(await world.pictures([[CAT], [DOG]], seed=1))
    return world.work(asked(**changes), {"/training/0/ref": training, "/validation/0": validation})


async def trained(world: World, work: Work[TrainParameters]) -> Outcome:
    return await train(work, **world.tools())


async def test_a_model_has_every_stage_and_names_the_best(world: World) -> None:
    await world.executor(TRAINS)
    work = await an_attempt(world)

    outcome = await trained(world, work)

    model = model_of(outcome)
    assert [stage.name for stage in model.stages] == ["first", "second"]
    assert model.best_stage == model.recommended_stage == "second"
    assert model.stages[1].metrics == {"mAP": 0.5}
    assert model.classes == ("cat",)
    assert outcome.result.summary["metrics"] == {"mAP": 0.5}
    assert outcome.log is not None
    assert await world.blobs.get(outcome.log.digest) == b"trained on 4\n"


async def test_images_that_are_not_annotated_are_left_out_and_that_is_told(world: World) -> None:
    await world.executor(TRAINS)

    outcome = await trained(world, await an_attempt(world))

    assert outcome.result.summary["training_images"] == 4
    assert any("1 asset for training" in warning for warning in outcome.warnings)
    assert outcome.result.summary["annotations_of_other_classes"] == {"dog": 3}


async def test_the_executor_sees_the_contract(world: World) -> None:
    await world.executor(
        trains(
            "import xml.etree.ElementTree as tree\n"
            "for line in lines(given['training_index_file']):\n"
            "    image, annotations = map(pathlib.Path, line.split('\\t'))\n"
            "    assert image.parent.parent == pathlib.Path(given['assets_dir']), image\n"
            "    assert image.stem[-2:] == image.parent.name, image\n"
            "    assert image.suffix == '.jpg' and image.stat().st_mode & 0o222 == 0, image\n"
            "    assert {one.findtext('name') for one in tree.parse(annotations).iter('object')} <= {'cat'}\n"
        )
    )

    outcome = await trained(world, await an_attempt(world))

    assert outcome.problem is None


async def test_the_system_has_the_last_word_in_the_config(world: World) -> None:
    await world.executor(TRAINS)
    work = await an_attempt(world, config={"epochs": 3, "epoch": 4, "task_id": "mine"})

    outcome = await trained(world, work)

    config = config_of(work)
    assert (config["epochs"], config["epoch"]) == (3, 4)
    assert config["class_names"] == ["cat"]
    assert config["task_id"] == work.task.id
    assert any("'epoch'" in warning and "'epochs'" in warning for warning in outcome.warnings)
    assert any("'task_id'" in warning for warning in outcome.warnings)


async def test_equal_trainings_make_equal_packages(world: World) -> None:
    await world.executor(TRAINS)

    first, second = [model_of(await trained(world, work)) for work in await two_attempts(world)]

    assert first.id != second.id
    assert first.package == second.package
    assert [stage.digest for stage in first.stages] == [stage.digest for stage in second.stages]


async def two_attempts(world: World) -> list[Work[TrainParameters]]:
    training = await world.version(await world.pictures(LABELS))
    validation = await world.version(await world.pictures([[CAT]], seed=1))
    inputs = {"/training/0/ref": training, "/validation/0": validation}
    return [world.work(asked(), inputs), world.work(asked(), inputs)]


async def test_a_package_can_be_read_and_unpacked(world: World) -> None:
    await world.executor(TRAINS)
    model = model_of(await trained(world, await an_attempt(world)))
    package = await world.cache.path(model.package.digest)

    info = read_info(package)
    files = unpack_stage(package, "first", world.folder / "unpacked")

    assert info["best_stage_name"] == "second"
    assert info["executor_config"]["class_names"] == ["cat"]
    assert "task_id" not in info["executor_config"]
    assert files == ("weights.bin",)
    assert (world.folder / "unpacked" / "weights.bin").read_bytes() == b"first"


async def test_a_pretrained_stage_is_given_to_the_executor(world: World) -> None:
    await world.executor(TRAINS)
    model = await world.keep_model(await trained(world, await an_attempt(world)))
    work = await an_attempt(world, pretrained={"id": model.id, "stage": "first"})

    await trained(world, work)

    assert config_of(work)["pretrained_model_params"] == [str(work.scratch / "in/models/first/weights.bin")]
    assert (work.scratch / "in/models/first/weights.bin").read_bytes() == b"first"


async def test_the_validation_split_serves_when_no_validation_is_named(world: World) -> None:
    await world.executor(TRAINS)
    learn = await world.version((await world.pictures([[CAT], [CAT]])).with_split(Split.TRAINING))
    measure = await world.version((await world.pictures([[CAT]], seed=1)).with_split(Split.VALIDATION))
    parameters = asked(training=[{"ref": "a"}, {"ref": "b"}], validation=[])

    outcome = await trained(world, world.work(parameters, {"/training/0/ref": learn, "/training/1/ref": measure}))

    assert outcome.result.summary["training_images"] == 2
    assert outcome.result.summary["validation_images"] == 1


async def test_nothing_to_validate_on_is_refused_with_the_next_step(world: World) -> None:
    await world.executor(TRAINS)
    learn = await world.version(await world.pictures([[CAT]]))

    with pytest.raises(Invalid, match="nothing to validate on") as caught:
        await trained(world, world.work(asked(validation=[]), {"/training/0/ref": learn}))

    assert "split task" in caught.value.step


async def test_nothing_to_train_on_is_refused(world: World) -> None:
    await world.executor(TRAINS)
    learn = await world.version(await world.pictures([None]))
    measure = await world.version(await world.pictures([[CAT]], seed=1))

    with pytest.raises(Invalid, match="nothing to train on"):
        await trained(world, world.work(asked(), {"/training/0/ref": learn, "/validation/0": measure}))


async def test_classes_without_any_object_are_refused(world: World) -> None:
    await world.executor(TRAINS)
    learn = await world.version(await world.pictures([[DOG]]))
    measure = await world.version(await world.pictures([[CAT]], seed=1))

    with pytest.raises(Invalid, match="no object of cat"):
        await trained(world, world.work(asked(), {"/training/0/ref": learn, "/validation/0": measure}))


async def test_an_overlap_stops_the_training_and_names_the_assets(world: World) -> None:
    await world.executor(TRAINS)
    both = await world.version(await world.pictures([[CAT], [CAT]]))

    with pytest.raises(Invalid, match="in validation: 2 assets") as caught:
        await trained(world, world.work(asked(), {"/training/0/ref": both, "/validation/0": both}))

    assert len(caught.value.faults) == 2


async def test_an_overlap_that_is_allowed_is_used_once_and_reported(world: World) -> None:
    await world.executor(TRAINS)
    learn = await world.version(await world.pictures([[CAT], [CAT], [CAT]]))
    measure = await world.version(await world.pictures([[CAT]]))
    parameters = asked(on_overlap="validation")

    outcome = await trained(world, world.work(parameters, {"/training/0/ref": learn, "/validation/0": measure}))

    assert outcome.result.summary["overlap"] == 1
    assert outcome.result.summary["training_images"] == 2
    assert [finding.kind for finding in (await world.report(outcome)).findings].count("overlap") == 1


async def test_near_duplicates_of_what_is_learned_from_are_told_or_stop_the_training(world: World) -> None:
    await world.executor(TRAINS)
    learn = await world.version(await world.pictures([[CAT], [CAT]], seed=1, hashes=[bytes(32), b"\xff" * 32]))
    measure = await world.version(await world.pictures([[CAT]], seed=2, hashes=[bytes(31) + b"\x01"]))
    inputs = {"/training/0/ref": learn, "/validation/0": measure}

    outcome = await trained(world, world.work(asked(), inputs))
    with pytest.raises(Invalid, match="in an earlier split: 1 image, as") as caught:
        await trained(world, world.work(asked(near_duplicates="stop"), inputs))
    ignored = await trained(world, world.work(asked(near_duplicates="stop", distance=0), inputs))

    assert outcome.result.summary["near_duplicates_across_splits"] == {"training->validation": 1}
    assert [one.kind for one in (await world.report(outcome)).findings].count("near-duplicate") == 1
    assert len(caught.value.faults) == 1
    assert ignored.result.summary["near_duplicates_across_splits"] == {}


async def test_unknown_classes_are_all_named(world: World) -> None:
    await world.executor(TRAINS)

    with pytest.raises(Invalid) as caught:
        await trained(world, await an_attempt(world, classes=["ufo", "kitty", "cat"]))

    assert [fault.pointer for fault in caught.value.faults] == ["/classes/0: ufo", "/classes"]


async def test_an_executor_that_is_not_registered_is_named(world: World) -> None:
    await world.executor(TRAINS)

    with pytest.raises(NotFound, match="nobody") as caught:
        await trained(world, await an_attempt(world, executor="nobody"))

    assert "fake" in caught.value.step


async def test_an_executor_without_a_template_cannot_train(world: World) -> None:
    await world.executor(TRAINS, templates={"mining": "a: 1\n"})

    with pytest.raises(Invalid, match="no template for training"):
        await trained(world, await an_attempt(world))


async def test_a_failing_executor_is_told_with_its_code_and_last_words(world: World) -> None:
    await world.executor(
        'for number in 1 2 3 4 5 6; do echo "line $number"; done\n'
        'printf "t\\t1.0\\t0.5\\t4\\t300002\\nno such class\\n" > out/monitor.txt\nexit 7\n'
    )

    outcome = await trained(world, await an_attempt(world))

    assert outcome.problem is not None
    assert "exit code 7" in outcome.problem.detail
    assert "300002: the dataset is wrong" in outcome.problem.detail
    told = [error.detail for error in outcome.problem.errors]
    assert told == ["line 2", "line 3", "line 4", "line 5", "line 6", "no such class"]
    assert outcome.records == ()
    assert outcome.log is not None


async def test_stages_of_a_failed_training_are_kept(world: World) -> None:
    await world.executor(trains("sys.exit(3)\n"))

    outcome = await trained(world, await an_attempt(world))

    assert outcome.problem is not None
    assert [stage.name for stage in model_of(outcome).stages] == ["first", "second"]


async def test_why_nothing_of_a_failed_training_was_kept_is_told_beside_its_failure(world: World) -> None:
    await world.executor(trains("sys.exit(3)\n", metric="7"))

    outcome = await trained(world, await an_attempt(world))

    assert outcome.problem is not None
    assert "exit code 3" in outcome.problem.detail
    assert any(warning.startswith("No model was kept: models/result.yaml: ") for warning in outcome.warnings)


async def test_success_without_a_result_is_a_failure(world: World) -> None:
    await world.executor("exit 0\n")

    outcome = await trained(world, await an_attempt(world))

    assert outcome.problem is not None
    assert "without writing models/result.yaml" in outcome.problem.detail


async def test_a_malformed_result_names_the_file_and_the_key(world: World) -> None:
    await world.executor(trains(metric="1.5"))

    outcome = await trained(world, await an_attempt(world))

    assert outcome.problem is not None
    assert outcome.problem.detail.startswith("models/result.yaml: model_stages.second.mAP: ")


async def test_an_executor_that_takes_too_long_is_ended(world: World) -> None:
    await world.executor("sleep 1000\n", limits=Limits(seconds=0.3))

    outcome = await trained(world, await an_attempt(world))

    assert outcome.problem is not None
    assert "longer than it may" in outcome.problem.detail


async def test_a_cancelled_training_keeps_the_stages_written_so_far(world: World) -> None:
    await world.executor(trains(signals(world.folder / FIFO)))
    work = await an_attempt(world)
    job = asyncio.create_task(trained(world, work))
    await comes(world.folder / FIFO)

    work.stopping = Stopping.CANCELLED
    job.cancel()
    outcome = await job

    assert outcome.cancelled
    assert len(model_of(outcome).stages) == 2
    assert outcome.log is not None


async def test_a_task_that_is_lost_stops_its_executor_and_says_nothing(world: World) -> None:
    await world.executor(trains(signals(world.folder / FIFO)))
    work = await an_attempt(world)
    job = asyncio.create_task(trained(world, work))
    await comes(world.folder / FIFO)

    work.stopping = Stopping.LOST
    job.cancel()

    with pytest.raises(asyncio.CancelledError):
        await job


LOGS = """
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter
writer = EventFileWriter(out['tensorboard_dir'])
for step in range(3):
    writer.add_event(Event(step=step, summary=Summary(value=[Summary.Value(tag='loss', simple_value=step / 2)])))
writer.close()
"""


async def scalars_of(outcome: Outcome, world: World) -> dict[str, tuple[float | None, ...]]:
    assert outcome.result.logs is not None
    table = ScalarTable.model_validate_json(await world.blobs.get(outcome.result.logs.scalars.digest))
    return {tag: series.values for tag, series in table.tags.items()}


async def test_what_an_executor_wrote_for_tensorboard_is_kept_with_the_model(world: World) -> None:
    await world.executor(trains(LOGS))

    outcome = await trained(world, await an_attempt(world))

    assert await scalars_of(outcome, world) == {"loss": (0.0, 0.5, 1.0)}
    assert model_of(outcome).logs == outcome.result.logs
    assert outcome.result.logs is not None
    await world.blobs.fetch(outcome.result.logs.events.digest, world.folder / "events.tar")
    with tarfile.open(world.folder / "events.tar") as archive:
        assert ["tfevents" in name for name in archive.getnames()] == [True]


async def test_the_logs_of_a_failed_training_are_kept_without_a_model(world: World) -> None:
    await world.executor(python(f"{LOGS}sys.exit(3)\n"))

    outcome = await trained(world, await an_attempt(world))

    assert (outcome.problem is not None, outcome.records) == (True, ())
    assert await scalars_of(outcome, world) == {"loss": (0.0, 0.5, 1.0)}


async def test_the_logs_of_a_cancelled_training_are_kept(world: World) -> None:
    await world.executor(python(f"{LOGS}{signals(world.folder / FIFO)}"))
    work = await an_attempt(world)
    job = asyncio.create_task(trained(world, work))
    await comes(world.folder / FIFO)

    work.stopping = Stopping.CANCELLED
    job.cancel()
    outcome = await job

    assert outcome.cancelled
    assert await scalars_of(outcome, world) == {"loss": (0.0, 0.5, 1.0)}


async def test_damaged_logs_are_a_warning(world: World) -> None:
    damage = "path = next(pathlib.Path(out['tensorboard_dir']).iterdir())\npath.write_bytes(path.read_bytes()[:-3])\n"
    await world.executor(trains(LOGS + damage))

    outcome = await trained(world, await an_attempt(world))

    assert outcome.problem is None
    assert await scalars_of(outcome, world) == {"loss": (0.0, 0.5)}
    assert any("the file is cut" in warning for warning in outcome.warnings)


async def test_links_among_the_logs_are_left_where_they_are(world: World) -> None:
    link = (
        "folder = pathlib.Path(out['tensorboard_dir'])\n"
        "(folder / 'again.tfevents').symlink_to(next(folder.iterdir()))\n"
        "(folder / 'secret.tfevents').symlink_to('/etc/hostname')\n"
    )
    await world.executor(trains(LOGS + link))

    outcome = await trained(world, await an_attempt(world))

    assert outcome.result.logs is not None
    await world.blobs.fetch(outcome.result.logs.events.digest, world.folder / "events.tar")
    with tarfile.open(world.folder / "events.tar") as archive:
        assert len(archive.getnames()) == 1
    assert await scalars_of(outcome, world) == {"loss": (0.0, 0.5, 1.0)}


async def test_logs_are_kept_up_to_a_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.executors.training_logs.BYTES_KEPT", 100)
    await world.executor(trains(LOGS))

    outcome = await trained(world, await an_attempt(world))

    assert any("the first 100 bytes are kept" in warning for warning in outcome.warnings)
    assert await scalars_of(outcome, world) == {"loss": (0.0, 0.5, 1.0)}


async def test_what_is_attached_is_in_the_package_and_told(world: World) -> None:
    attach = (
        "folder = pathlib.Path(out['models_dir'], 'attachments', 'curves')\n"
        "folder.mkdir(parents=True)\n"
        "(folder / 'loss.csv').write_text('1,2')\n"
        "result['attachments'] = {'curves': ['loss.csv', 'missing.csv']}\n"
        "yaml.safe_dump(result, open(out['training_result_file'], 'w'))\n"
    )
    await world.executor(trains(attach))

    outcome = await trained(world, await an_attempt(world))

    model = model_of(outcome)
    package = await world.cache.path(model.package.digest)
    assert model.attachments == ("attachments/curves/loss.csv",)
    assert read_info(package)["attachments"] == {"curves": ["loss.csv"]}
    assert any("'missing.csv'" in warning for warning in outcome.warnings)


async def test_progress_that_lies_is_told(world: World) -> None:
    await world.executor(trains("pathlib.Path(out['monitor_file']).write_text('t\\t1\\t7.5\\t2\\n')\n"))

    outcome = await trained(world, await an_attempt(world))

    assert outcome.problem is None
    assert any("monitor.txt, line 1" in warning for warning in outcome.warnings)


@pytest.mark.parametrize(("name", "suffix"), [("voc:raw", "xml"), ("det-ark:raw", "txt"), ("coco", "json")])
async def test_annotations_come_in_the_format_that_the_config_asks_for(world: World, name: str, suffix: str) -> None:
    await world.executor(TRAINS)
    work = await an_attempt(world, config={"export_format": name})

    await trained(world, work)

    lines = (work.scratch / "in/train-index.tsv").read_text().splitlines()
    paths = [Path(line.split("\t")[1]) for line in lines]
    assert len(paths) == 4
    assert all(path.suffix == f".{suffix}" and path.is_file() for path in paths)


async def test_an_unknown_format_is_refused(world: World) -> None:
    await world.executor(TRAINS)

    with pytest.raises(Invalid, match="lmdb") as caught:
        await trained(world, await an_attempt(world, config={"export_format": "voc:lmdb"}))

    assert "voc:raw" in caught.value.step


@pytest.mark.parametrize("place", ["models", "models/result.yaml", "ymir-executor-out.log", "monitor.txt"])
async def test_nothing_outside_of_its_folder_is_read_through_a_link(world: World, place: str) -> None:
    outside = world.folder / "outside"
    outside.mkdir()
    (outside / "secret").write_text("hush-hush")
    (outside / "result.yaml").write_text("model_stages: {hush: {files: [secret], mAP: 0.5}}\n")
    target = {"models": outside, "models/result.yaml": outside / "result.yaml"}.get(place, outside / "secret")
    link = f"place = pathlib.Path(out['root_dir'], {place!r})\n"
    link += "import shutil; shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)\n"
    await world.executor(python(f"{link}place.symlink_to({str(target)!r})\n"))

    outcome = await trained(world, await an_attempt(world))

    assert outcome.problem is not None
    assert outcome.records == ()
    assert "hush" not in outcome.model_dump_json()
    assert outcome.log is None or b"hush" not in await world.blobs.get(outcome.log.digest)
    assert any("link, special file" in warning for warning in outcome.warnings)


async def test_an_executor_that_says_it_failed_has_failed_though_it_ends_well(world: World) -> None:
    await world.executor(trains("open(out['monitor_file'], 'w').write('t\\t1\\t1\\t4\\t300003\\n')"))

    outcome = await trained(world, await an_attempt(world))

    assert outcome.problem is not None
    assert "300003: an image format is not supported" in outcome.problem.detail
    assert len(model_of(outcome).stages) == 2
