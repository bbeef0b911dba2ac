"""What images of older protocols find, and what they write."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from schemas.executors import Executor, Protocol
from schemas.model_parameters import MineParameters, ModelStage, TrainParameters
from schemas.outcomes import Outcome
from tests.workers.loop_world import CAT, DOG, TRAINS, World, a_world, config_of, python
from workers.executors.contract import ExportFormat, environment, export_format
from workers.executors.layout import Layout, RunFolder
from workers.executors.monitor import read_monitor
from workers.executors.older_layouts import add_older_paths, model_paths
from workers.executors.training_result import read_training_result
from workers.handlers.mine import mine
from workers.handlers.train import train

# As an image of YMIR 0.2 does it: no env.yaml, fixed paths, words and milliseconds, and a result of one stage.
OLD_TRAINING = python(
    "root = pathlib.Path(given['root_dir'])\n"
    "assert 'protocol_version' not in env\n"
    "assert len(lines(root / 'train/index.tsv')) == 2 and len(lines(root / 'val/index.tsv')) == 1\n"
    "image, annotations = lines(root / 'train/index.tsv')[0].split('\\t')\n"
    "assert annotations.endswith('.txt') and pathlib.Path(image).is_file()\n"
    "pathlib.Path(out['monitor_file']).write_text(f\"{config['task_id']}\\t1638800000000\\t0.5\\trunning\\n\")\n"
    "pathlib.Path(out['models_dir'], 'a.params').write_bytes(b'weights')\n"
    "yaml.safe_dump({'map': 0.75, 'model': ['a.params']}, open(out['training_result_file'], 'w'))\n"
)
OLD_MINING = python(
    "root = pathlib.Path(given['root_dir'])\n"
    "assert config['model_params_path'] == [str(root / 'models' / 'a.params')]\n"
    "assert pathlib.Path(config['model_params_path'][0]).read_bytes() == b'weights'\n"
    "ranked = lines(root / 'candidate/index.tsv')\n"
    "rows = [f'{image}\\t{-place}\\n' for place, image in enumerate(ranked)]\n"
    "pathlib.Path(out['mining_result_file']).write_text(''.join(rows))\n"
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


async def asks_for(world: World, executor: Executor, protocol: Protocol) -> None:
    executors = world.database.documents(Executor)
    was = await executors.get(executor.id)
    await executors.replace(was.successor(protocol=protocol), was=was)


async def trained(world: World) -> Outcome:
    training = await world.version(await world.pictures([[CAT], [DOG]]))
    validation = await world.version(await world.pictures([[CAT]], seed=1))
    parameters = TrainParameters.model_validate(
        {"training": [{"ref": "a"}], "validation": ["b"], "model": "m", "classes": ["cat", "dog"], "executor": "fake"}
    )
    work = world.work(parameters, {"/training/0/ref": training, "/validation/0": validation})
    return await train(work, **world.tools())


async def test_an_image_of_the_first_protocol_trains_and_mines(world: World) -> None:
    await asks_for(world, await world.executor(OLD_TRAINING), Protocol.V0_0)

    outcome = await trained(world)

    assert outcome.problem is None, outcome.problem
    model = await world.keep_model(outcome)
    assert [(stage.files, stage.metrics) for stage in model.stages] == [(("a.params",), {"mAP": 0.75})]

    await asks_for(world, await world.executor(OLD_MINING), Protocol.V0_0)
    source = await world.version(await world.pictures([None] * 4, seed=2))
    parameters = MineParameters(
        dataset="picked", source="c", model=ModelStage(id=model.id), executor="fake", strategy="executor", top_k=2
    )
    work = world.work(parameters, {"/source": source})

    mined = await mine(work, **world.tools())

    assert mined.problem is None, mined.problem
    assert config_of(work)["model_params_path"] == [str(work.scratch / "in" / "models" / "a.params")]


async def test_an_image_that_asks_for_nothing_finds_both_layouts(world: World) -> None:
    await world.executor(TRAINS)
    training = await world.version(await world.pictures([[CAT], [DOG]]))
    validation = await world.version(await world.pictures([[CAT]], seed=1))
    parameters = TrainParameters.model_validate(
        {"training": [{"ref": "a"}], "validation": ["b"], "model": "m", "classes": ["cat"], "executor": "fake"}
    )
    work = world.work(parameters, {"/training/0/ref": training, "/validation/0": validation})

    await train(work, **world.tools())

    given = work.scratch / "in"
    assert (given / "train" / "index.tsv").read_bytes() == (given / "train-index.tsv").read_bytes()
    assert (given / "val" / "index.tsv").stat().st_ino == (given / "val-index.tsv").stat().st_ino
    assert yaml.safe_load((given / "env.yaml").read_text())["protocol_version"] == "1.1.0"


def test_one_that_asks_for_the_newest_gets_that_alone(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.prepare()
    (folder.given / "train-index.tsv").touch()

    add_older_paths(folder, protocol=Protocol.V1_1)

    assert not (folder.given / "train").exists()


def test_of_two_files_of_one_name_the_first_lies_where_there_are_no_stages(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for stage in ("b", "a"):
        (folder.given / "models" / stage).mkdir(parents=True)
        (folder.given / "models" / stage / "w.bin").write_text(stage)

    add_older_paths(folder, protocol=None)
    add_older_paths(folder, protocol=None)

    assert (folder.given / "models" / "w.bin").read_text() == "a"


def test_paths_of_models_have_no_stage_before_1_1() -> None:
    paths = ["/in/models/best/w.bin"]

    assert model_paths(paths, protocol=Protocol.V1_0, layout=Layout()) == ("/in/models/w.bin",)
    assert model_paths(paths, protocol=Protocol.V1_1, layout=Layout()) == ("/in/models/best/w.bin",)


def test_the_environment_names_the_protocol_that_is_asked_for() -> None:
    def told(protocol: Protocol | None) -> object:
        return environment("t", purposes=frozenset(), layout=Layout(), protocol=protocol).get("protocol_version")

    assert [told(protocol) for protocol in (*Protocol, None)] == [None, "1.0.0", "1.1.0", "1.1.0"]


def test_annotations_are_ark_where_nothing_else_was_known() -> None:
    assert export_format({}, protocol=Protocol.V1_0) is ExportFormat.ARK
    assert export_format({"export_format": "voc:raw"}, protocol=Protocol.V1_0) is ExportFormat.VOC
    assert export_format({}, protocol=None) is ExportFormat.VOC


@pytest.mark.parametrize(
    ("word", "state"), [("pending", 1), ("Running", 2), ("done", 3), ("error", 4), ("4", 4), ("2", 2)]
)
def test_the_state_of_a_monitor_may_be_a_word(tmp_path: Path, word: str, state: int) -> None:
    path = tmp_path / "monitor.txt"
    path.write_text(f"t\t1638800000000\t0.25\t{word}\n")

    record = read_monitor(path)

    assert record is not None
    assert (record.fraction, record.state) == (0.25, state)


def test_the_old_result_may_name_one_file(tmp_path: Path) -> None:
    (tmp_path / "w.bin").touch()
    (tmp_path / "result.yaml").write_text("map: 0.5\nmodel: w.bin\n")

    result = read_training_result(tmp_path)

    assert result is not None
    assert [(list(stage.files), stage.metrics) for stage in result.stages] == [(["w.bin"], {"mAP": 0.5})]
