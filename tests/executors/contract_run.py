"""One run of an executor by the container contract: folders as the system lays them out, then start.sh."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

RUN_SECONDS = 300  # on a busy machine
EXECUTOR = Path(__file__).parents[2] / "deploy" / "executors" / "tiny-detector"
CLASSES = ("square", "cross")


@dataclass(frozen=True)
class Ended:
    """What a run left behind."""

    out: Path
    status: int
    errors: str

    @property
    def monitor(self) -> list[str]:
        return (self.out / "monitor.txt").read_text(encoding="utf-8").splitlines()[0].split("\t")

    @property
    def ranking(self) -> list[tuple[str, float]]:
        lines = (self.out / "result.tsv").read_text(encoding="utf-8").splitlines()
        return [(path, float(score)) for path, score in (line.split("\t") for line in lines)]

    @property
    def detections(self) -> dict[str, list[dict[str, Any]]]:
        found = json.loads((self.out / "infer-result.json").read_text(encoding="utf-8"))["detection"]
        return {name: image["boxes"] for name, image in found.items()}

    @property
    def training_result(self) -> dict[str, Any]:
        result: dict[str, Any] = yaml.safe_load((self.out / "models" / "result.yaml").read_text(encoding="utf-8"))
        return result

    @property
    def model(self) -> Path:
        return self.out / "models" / str(self.training_result["best_stage_name"]) / "model.npz"


def run(
    folder: Path,
    *purposes: str,
    config: Mapping[str, object] | None = None,
    training: Sequence[str] = (),
    validation: Sequence[str] = (),
    candidates: Sequence[str] = (),
    executor: Path = EXECUTOR,
) -> Ended:
    """Run for training, mining or infer; index lines are given as text."""
    prepare(folder, *purposes, config=config, training=training, validation=validation, candidates=candidates)
    return started(folder, executor=executor)


def prepare(
    folder: Path,
    *purposes: str,
    config: Mapping[str, object] | None = None,
    training: Sequence[str] = (),
    validation: Sequence[str] = (),
    candidates: Sequence[str] = (),
) -> None:
    """Write what a run is given, as `run` does."""
    given, made = folder / "in", folder / "out"
    for needed in (given, made):
        needed.mkdir(parents=True, exist_ok=True)
    lines = {"training_index_file": training, "val_index_file": validation, "candidate_index_file": candidates}
    for key, content in lines.items():
        (given / f"{key}.tsv").write_text("".join(f"{line}\n" for line in content), encoding="utf-8")
    asked = {f"run_{purpose}": purpose in purposes for purpose in ("training", "mining", "infer")}
    indexes = {key: str(given / f"{key}.tsv") for key in lines}
    output = {"root_dir": str(made), "models_dir": str(made / "models"), "monitor_file": str(made / "monitor.txt")}
    environment = {"protocol_version": "1.1.0", "task_id": "t1", **asked, "input": indexes, "output": output}
    (given / "env.yaml").write_text(yaml.safe_dump(environment), encoding="utf-8")
    values = {"class_names": list(CLASSES), "object_type": 2, **(config or {})}
    (given / "config.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")


def started(folder: Path, *, executor: Path = EXECUTOR) -> Ended:
    """Run on a folder as it is."""
    ended = subprocess.run(
        command_of(executor),
        env=environment_of(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_SECONDS,
    )
    return Ended(folder / "out", ended.returncode, ended.stderr)


def command_of(executor: Path) -> list[str]:
    """Return how the contract starts an executor that is a folder."""
    return ["bash", str(executor / "start.sh")]


def environment_of(folder: Path) -> dict[str, str]:
    """Return the environment of a run on a folder."""
    files = {
        "DEFAULT_ENV_FILE_PATH": str(folder / "in" / "env.yaml"),
        "DEFAULT_CONFIG_FILE_PATH": str(folder / "in" / "config.yaml"),
    }
    return {**os.environ, **files, "PYTHON": sys.executable, "SOURCE_DATE_EPOCH": "1700000000"}
