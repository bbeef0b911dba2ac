"""An executor that keeps every rule of the container contract and learns nothing: standard library and PyYAML."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

RUNNING, DONE, FAILED = 2, 3, 4
CONTAINER_ERROR = 160004
TICK_SECONDS = 0.1
BOX = {"x": 1, "y": 2, "w": 30, "h": 20}

Progress = Callable[[float], None]


def main() -> int:
    """Do what env.yaml asks for; return the exit status."""
    env = _read(os.environ.get("DEFAULT_ENV_FILE_PATH", "/in/env.yaml"))
    config = _read(os.environ.get("DEFAULT_CONFIG_FILE_PATH", env["input"]["config_file"]))
    work = [do for name, do in WORK.items() if env.get(f"run_{name}")]
    try:
        for number, do in enumerate(work):
            # Mining and inference may be asked for together: each has its share of the whole.
            do(env, config, _part(env, number, of=len(work)))
    except Exception as error:
        _tell(env, 1.0, FAILED, f"\t{CONTAINER_ERROR}\n{type(error).__name__}: {error}")
        raise
    _tell(env, 1.0, DONE)
    return 0


def train(env: dict[str, Any], config: dict[str, Any], progress: Progress) -> None:
    """Write a model of one stage."""
    training, validation = _index(env, "training_index_file"), _index(env, "val_index_file")
    print(f"{len(training)} images to train on, {len(validation)} to validate on", flush=True)
    _idle(config, progress)
    models = Path(env["output"]["models_dir"])
    name = "epoch_1"
    (models / name).mkdir(parents=True, exist_ok=True)
    (models / name / "model.json").write_text(json.dumps({"classes": config["class_names"]}), encoding="utf-8")
    expected = float(config["expected_map"])
    stage = {"stage_name": name, "files": ["model.json"], "mAP": expected, "timestamp": int(time.time())}
    result = {"best_stage_name": name, "model_stages": {name: stage}}
    Path(env["output"]["training_result_file"]).write_text(yaml.safe_dump(result), encoding="utf-8")


def mine(env: dict[str, Any], config: dict[str, Any], progress: Progress) -> None:
    """Rank the candidates by their names."""
    candidates = _index(env, "candidate_index_file")
    _idle(config, progress)
    ranked = sorted(candidates, key=os.path.basename)
    lines = [f"{image}\t{1 - place / len(ranked):.6f}\n" for place, image in enumerate(ranked)]
    Path(env["output"]["mining_result_file"]).write_text("".join(lines), encoding="utf-8")


def infer(env: dict[str, Any], config: dict[str, Any], progress: Progress) -> None:
    """Find a box of the model's first class on every image."""
    candidates = _index(env, "candidate_index_file")
    model = json.loads(Path(config["model_params_path"][0]).read_text(encoding="utf-8"))
    _idle(config, progress)
    box = {"box": BOX, "class_name": model["classes"][0], "score": float(config["confidence"])}
    found = {Path(image).name: {"boxes": [box]} for image in candidates}
    result = json.dumps({"detection": found})
    Path(env["output"]["infer_result_file"]).write_text(result, encoding="utf-8")


WORK = {"training": train, "mining": mine, "infer": infer}


def _idle(config: dict[str, Any], progress: Progress) -> None:
    """Take the time that is asked for, and crash half-way if that is asked for."""
    seconds = float(config.get("idle_seconds", 0))
    began = time.monotonic()
    progress(0.0)
    while (spent := time.monotonic() - began) < seconds:
        progress(0.9 * spent / seconds)
        if config.get("trigger_crash") and spent > seconds / 2:
            break
        time.sleep(min(TICK_SECONDS, seconds - spent))
    if config.get("trigger_crash"):
        raise RuntimeError("trigger_crash asked for this")
    progress(0.9)


def _part(env: dict[str, Any], number: int, *, of: int) -> Progress:
    """Return where a part of the work tells its own progress from 0 to 1."""
    return lambda share: _tell(env, (number + share) / of, RUNNING)


def _tell(env: dict[str, Any], share: float, state: int, more: str = "") -> None:
    """Replace monitor.txt as a whole: whoever reads it sees the old record or the new one."""
    path = Path(env["output"]["monitor_file"])
    beside = path.with_name("monitor.new")
    beside.write_text(f"{env['task_id']}\t{time.time():.6f}\t{share:.6f}\t{state}{more}\n", encoding="utf-8")
    beside.replace(path)


def _index(env: dict[str, Any], key: str) -> list[str]:
    """Return the first column of an index file: the images."""
    lines = Path(env["input"][key]).read_text(encoding="utf-8").splitlines()
    return [line.split("\t")[0] for line in lines if line]


def _read(path: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return values


if __name__ == "__main__":
    sys.exit(main())
