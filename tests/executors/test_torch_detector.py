"""What the executor with PyTorch does when it is run by the container contract, on the processor."""

import importlib.util
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.executors.contract_run import CLASSES, Ended, command_of, environment_of, prepare, run
from tests.executors.test_tiny_detector import SIDE, Pictures
from torch_detector.settings import (
    DetectionSettings,
    LoadingSettings,
    MiningSettings,
    NetworkSettings,
    TrainingSettings,
)
from workers.executors.training_result import read_training_result

EXECUTOR = Path(__file__).parents[2] / "deploy" / "executors" / "torch-detector"
FAILED = "4"
STAGE_SECONDS = 60.0
# One thread: several at once only get in each other's way on networks this small.
LOADING = {"threads": 1, "workers": 0}
SMALL = {**LOADING, "image_size": SIDE, "finest_stride": 4, "width": 8, "batch_size": 6}
BRIEF = {**SMALL, "epochs": 4, "evaluate_every": 2, "keep_every": 2, "warmup_epochs": 1}
THOROUGH = {
    **SMALL,
    "epochs": 60,
    "evaluate_every": 20,
    "learning_rate": 0.004,
    "ema_decay": 0.95,
    "scale_jitter": 0.1,
    "flip": 0,
}

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="no PyTorch here: .venv/bin/python -m pip install torch"
)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    return Pictures(tmp_path_factory.mktemp("pictures"), count=24)


@pytest.fixture(scope="module")
def trained(pictures: Pictures, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    return _training(tmp_path_factory.mktemp("trained"), pictures, THOROUGH)


@pytest.fixture(scope="module")
def brief(pictures: Pictures, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    return _training(tmp_path_factory.mktemp("brief"), pictures, BRIEF)


def _training(folder: Path, pictures: Pictures, config: Mapping[str, object]) -> Ended:
    lines = pictures.lines()
    return run(folder, "training", config=config, training=lines[:18], validation=lines[18:], executor=EXECUTOR)


def _stage(ended: Ended, name: str) -> list[str]:
    return [str(path) for path in sorted((ended.out / "models" / name).iterdir())]


@needs_torch
def test_training_finds_what_it_was_shown(trained: Ended) -> None:
    result = trained.training_result

    assert trained.status == 0, trained.errors
    assert trained.monitor[2:] == ["1.000000", "3"]
    assert result["model_stages"][result["best_stage_name"]]["mAP"] > 0.8


@needs_torch
def test_stages_are_what_the_worker_takes_and_events_are_for_tensorboard(trained: Ended) -> None:
    read = read_training_result(trained.out / "models")

    assert read is not None
    assert read.best == trained.training_result["best_stage_name"]
    assert {tuple(stage.files) for stage in read.stages} == {("model.npz", "training.npz")}
    assert {path.name for path in (trained.out / "models").iterdir()} == {
        "result.yaml",
        *(stage.name for stage in read.stages),
    }
    assert list((trained.out / "tensorboard").glob("events.out.tfevents.*"))


@needs_torch
def test_the_same_seed_gives_the_same_bytes_whoever_reads_the_images(
    brief: Ended, pictures: Pictures, tmp_path: Path
) -> None:
    again = _training(tmp_path, pictures, {**BRIEF, "workers": 2})

    assert again.status == 0, again.errors
    for name in ("result.yaml", "epoch_2/model.npz", "epoch_4/model.npz", "epoch_4/training.npz"):
        assert (again.out / "models" / name).read_bytes() == (brief.out / "models" / name).read_bytes()


@needs_torch
def test_a_training_that_goes_on_ends_where_one_that_never_stopped_does(
    brief: Ended, pictures: Pictures, tmp_path: Path
) -> None:
    config = {**BRIEF, "resume": True, "pretrained_model_params": _stage(brief, "epoch_2")}

    ended = _training(tmp_path, pictures, config)

    assert ended.status == 0, ended.errors
    assert list(ended.training_result["model_stages"]) == ["epoch_4"]
    for name in ("epoch_4/model.npz", "epoch_4/training.npz"):
        assert (ended.out / "models" / name).read_bytes() == (brief.out / "models" / name).read_bytes()


@needs_torch
def test_classes_of_the_same_name_are_taken_over_from_a_pretrained_model(
    trained: Ended, pictures: Pictures, tmp_path: Path
) -> None:
    stage = _stage(trained, trained.training_result["best_stage_name"])
    # A rate of next to nothing: what is measured is what was taken over.
    config = {**SMALL, "epochs": 1, "learning_rate": 1e-9, "resume": True, "pretrained_model_params": stage}

    ended = _training(tmp_path, pictures, {**config, "class_names": ["circle", *reversed(CLASSES)]})

    assert ended.status == 0, ended.errors
    assert ended.training_result["model_stages"]["epoch_1"]["mAP"] > 0.8


@needs_torch
def test_a_training_that_is_stopped_leaves_its_stages(pictures: Pictures, tmp_path: Path) -> None:
    lines = pictures.lines()
    config = {**SMALL, "epochs": 1000, "evaluate_every": 1, "workers": 1}
    prepare(tmp_path, "training", config=config, training=lines[:18], validation=lines[18:])
    running = subprocess.Popen(
        command_of(EXECUTOR), env=environment_of(tmp_path), start_new_session=True, stdout=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + STAGE_SECONDS
        while not (tmp_path / "out" / "models" / "epoch_3").exists() and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        running.send_signal(signal.SIGTERM)
        status = running.wait(timeout=10)

    read = read_training_result(tmp_path / "out" / "models")
    assert status != 0
    assert read is not None
    assert all(path.stat().st_size for stage in read.stages for path in stage.files.values())


@needs_torch
def test_mining_and_inference_run_together(trained: Ended, pictures: Pictures, tmp_path: Path) -> None:
    wide = tmp_path / "wide.jpg"
    Image.new("RGB", (300, 20), "white").save(wide)
    candidates = [*(pictures.path(name) for name in pictures.boxes), str(wide)]
    config = {**LOADING, "model_params_path": [str(trained.model)]}

    ended = run(tmp_path, "mining", "infer", config=config, candidates=candidates, executor=EXECUTOR)

    assert ended.status == 0, ended.errors
    scores = [score for _, score in ended.ranking]
    assert sorted(path for path, _ in ended.ranking) == sorted(candidates)
    assert scores == sorted(scores, reverse=True)
    assert list(ended.detections) == [Path(path).name for path in candidates]
    vectors = np.load(ended.out / "embeddings.npy")
    assert (vectors.shape, vectors.dtype) == ((len(candidates), 3 * 2 * 8), np.float32)
    assert np.isfinite(vectors).all()


@needs_torch
def test_inference_finds_the_boxes_and_says_how_likely_each_class_is(
    trained: Ended, pictures: Pictures, tmp_path: Path
) -> None:
    shown = {name: drawn for name, drawn in list(pictures.boxes.items())[18:] if drawn}
    config = {**LOADING, "model_params_path": [str(trained.model)]}

    candidates = [pictures.path(name) for name in shown]
    ended = run(tmp_path, "infer", config=config, candidates=candidates, executor=EXECUTOR)

    assert not (ended.out / "result.tsv").exists()
    for name, (label, box) in shown.items():
        best = max(ended.detections[f"{name}.png"], key=lambda one: float(one["score"]))
        found = [best["box"][key] for key in ("x", "y", "w", "h")]
        assert best["class_name"] == label
        assert best["class_scores"][CLASSES.index(label)] == pytest.approx(best["score"], abs=1e-4)
        assert found == pytest.approx([box[0], box[1], box[2] - box[0] + 1, box[3] - box[1] + 1], abs=8)


@needs_torch
def test_what_is_found_does_not_depend_on_the_images_beside_it(
    brief: Ended, pictures: Pictures, tmp_path: Path
) -> None:
    candidates = [pictures.path(name) for name in list(pictures.boxes)[:5]]
    config = {**LOADING, "model_params_path": [str(brief.model)], "batch_size": 5}

    beside = run(tmp_path / "beside", "mining", config=config, candidates=candidates, executor=EXECUTOR)
    alone = run(tmp_path / "alone", "mining", config=config, candidates=candidates[4:], executor=EXECUTOR)

    whole, one = (np.load(ended.out / "embeddings.npy") for ended in (beside, alone))
    assert one[0] == pytest.approx(whole[4], abs=1e-5)


@needs_torch
@pytest.mark.parametrize(
    ("config", "code", "message"),
    [
        ({"width": 12}, "300001", "multiple of 8"),
        ({"class_names": ["circle"]}, "300002", "circle"),
        ({"pretrained_model_params": ["/none/model.npz"]}, "300004", "/none/model.npz"),
        ({"gpu_id": "0", "gpu_count": 1}, "300102", "GPU"),
        ({"learning_rate": 1e9, "clip_norm": 1e9, "warmup_epochs": 0}, "300201", "learning_rate"),
    ],
)
def test_a_training_that_cannot_be_says_why(
    config: dict[str, object], code: str, message: str, pictures: Pictures, tmp_path: Path
) -> None:
    ended = _training(tmp_path, pictures, {**BRIEF, **config})

    assert (ended.status, ended.monitor[3:]) == (1, [FAILED, code])
    assert message in ended.errors


@needs_torch
def test_an_image_that_cannot_be_read_is_named_by_the_process_that_reads_it(brief: Ended, tmp_path: Path) -> None:
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    config = {**LOADING, "workers": 1, "model_params_path": [str(brief.model)]}

    ended = run(tmp_path, "infer", config=config, candidates=[str(tmp_path / "torn.jpg")], executor=EXECUTOR)

    assert (ended.status, ended.monitor[3:]) == (1, [FAILED, "300003"])
    assert "torn.jpg" in ended.errors
    assert "Traceback" not in ended.errors
    assert not (ended.out / "infer-result.json").exists()


@pytest.mark.parametrize(
    ("template", "kinds"),
    [
        ("training", (TrainingSettings, NetworkSettings, LoadingSettings, DetectionSettings)),
        ("mining", (MiningSettings, LoadingSettings, DetectionSettings)),
        ("infer", (LoadingSettings, DetectionSettings)),
    ],
)
def test_the_templates_list_every_setting_with_its_default(template: str, kinds: tuple[type, ...]) -> None:
    written = yaml.safe_load((EXECUTOR / "img-man" / f"{template}-template.yaml").read_text(encoding="utf-8"))

    assert written == {item.name: item.default for kind in kinds for item in fields(kind)}
