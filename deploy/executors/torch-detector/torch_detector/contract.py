"""The container contract (protocol 1.1.0): where input lies, what is asked for and where results go."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .errors import ConfigError, DatasetError, ObjectTypeError

DETECTION = 2


@dataclass(frozen=True)
class Environment:
    """env.yaml: what is to run and the files it reads and writes."""

    task_id: str
    run_training: bool
    run_mining: bool
    run_infer: bool
    training_index: Path | None
    validation_index: Path | None
    candidate_index: Path | None
    config_file: Path
    models_dir: Path
    tensorboard_dir: Path
    training_result: Path
    mining_result: Path
    infer_result: Path
    embeddings: Path
    monitor_file: Path


def environment_file() -> Path:
    """Return where env.yaml is."""
    return Path(os.environ.get("DEFAULT_ENV_FILE_PATH", "/in/env.yaml"))


def presumed_monitor_file() -> Path:
    """Return where monitor.txt belongs when env.yaml cannot be read: /out beside /in."""
    return environment_file().absolute().parent.parent / "out" / "monitor.txt"


def read_environment() -> Environment:
    """Return env.yaml with the contract's defaults for what it leaves out; raise ConfigError."""
    path = environment_file()
    values = _read_mapping(path)
    given, made = _section(values, "input", path), _section(values, "output", path)
    results = Path(made.get("root_dir") or "/out")
    models = Path(made.get("models_dir") or results / "models")
    return Environment(
        task_id=str(values.get("task_id", "")),
        run_training=bool(values.get("run_training")),
        run_mining=bool(values.get("run_mining")),
        run_infer=bool(values.get("run_infer")),
        training_index=_optional(given.get("training_index_file")),
        validation_index=_optional(given.get("val_index_file")),
        candidate_index=_optional(given.get("candidate_index_file")),
        config_file=Path(os.environ.get("DEFAULT_CONFIG_FILE_PATH") or given.get("config_file") or "/in/config.yaml"),
        models_dir=models,
        tensorboard_dir=Path(made.get("tensorboard_dir") or results / "tensorboard"),
        training_result=Path(made.get("training_result_file") or models / "result.yaml"),
        mining_result=Path(made.get("mining_result_file") or results / "result.tsv"),
        infer_result=Path(made.get("infer_result_file") or results / "infer-result.json"),
        embeddings=results / "embeddings.npy",
        monitor_file=Path(made.get("monitor_file") or results / "monitor.txt"),
    )


def read_config(path: Path) -> Mapping[str, Any]:
    """Return config.yaml; raise ConfigError if it is no mapping, ObjectTypeError if it is not about detection."""
    config = _read_mapping(path)
    object_type = config.get("object_type", DETECTION)
    if str(object_type) != str(DETECTION):
        raise ObjectTypeError(f"{path}: object_type is {object_type}; this executor only knows {DETECTION} (detection)")
    return config


def class_names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the classes in the order of their indexes; raise ConfigError unless there are any, each once."""
    names = config.get("class_names")
    if not isinstance(names, list) or not names:
        raise ConfigError("config.yaml: class_names must be a list with at least one name")
    if len({str(name) for name in names}) < len(names):
        raise ConfigError(f"config.yaml: class_names has a name twice: {names}")
    return tuple(str(name) for name in names)


def model_files(config: Mapping[str, Any], key: str) -> list[str]:
    """Return the paths below a key, of which there may be none; raise ConfigError."""
    paths = config.get(key) or []
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise ConfigError(f"config.yaml: {key} must be a list of paths")
    return paths


def read_index(path: Path | None) -> list[list[str]]:
    """Return the columns of each line of an index file that is not blank; raise DatasetError if it cannot be read."""
    if path is None:
        raise DatasetError("env.yaml names no index file for what is to run")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read the index file {path}: {error}") from error
    return [line.split("\t") for line in lines if line.strip()]


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold keys and values")
    return values


def _optional(path: str | None) -> Path | None:
    return Path(path) if path else None


def _section(values: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    section = values.get(name) or {}
    if not isinstance(section, dict):
        raise ConfigError(f"{path}: {name} must hold keys and values")
    return section
