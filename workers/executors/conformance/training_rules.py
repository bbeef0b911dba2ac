"""Rules for what a training leaves behind."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from schemas.errors import Invalid
from workers.executors.conformance.rules import Breaches
from workers.executors.conformance.trial_input import Model
from workers.executors.conformance.trials import Trial
from workers.executors.layout import MODELS, TRAINING_RESULT
from workers.executors.training_result import (
    COUNTS,
    OLD_STAGE,
    RATES,
    STAGES,
    TrainingResult,
    old_stages,
    read_training_result,
)
from workers.foreign_yaml import NotYaml, read_yaml

TAGGED: Final = b"!!python"


def training(trial: Trial) -> Breaches:
    """Return what is wrong with the result of a training."""
    accepted = {"training-accepted": _accepted(trial)}
    path = trial.folder.made / TRAINING_RESULT
    if not path.is_file():
        return {"result-written": [f"There is no {TRAINING_RESULT}."], **accepted}
    data = path.read_bytes()
    if TAGGED in data:
        fault = f"{TRAINING_RESULT}: an object of Python ({TAGGED.decode()}) is no number: turn it into a float."
        return {"stage-metrics": [fault], **accepted}
    try:
        told = read_yaml(data)
    except NotYaml as error:
        return {"result-written": [f"{TRAINING_RESULT}, line {error.line}: {error.detail}."], **accepted}
    told = told if isinstance(told, dict) else {}
    stages = told.get(STAGES) or old_stages(told)
    if not isinstance(stages, dict) or not stages:
        return {"result-written": [f"{TRAINING_RESULT}: there is no stage under {STAGES}."], **accepted}
    return {"result-written": [], **_of_stages(stages, told, trial), **accepted}


def result_of(trial: Trial) -> TrainingResult | None:
    """Return the stages of a training, if the system takes them."""
    try:
        return read_training_result(trial.folder.made / MODELS)
    except Invalid:
        return None


def model_of(trial: Trial) -> Model:
    """Return the files of the best stage of a training."""
    result = result_of(trial)
    if result is None:
        return {}
    best = next(stage for stage in result.stages if stage.name == result.best)
    return {f"{best.name}/{name}": path for name, path in best.files.items()}


def _accepted(trial: Trial) -> list[str]:
    try:
        result = read_training_result(trial.folder.made / MODELS)
    except Invalid as error:
        return [error.detail]
    return [] if result is not None else [f"There is no {TRAINING_RESULT}."]


def _of_stages(stages: Mapping[Any, Any], told: Mapping[str, Any], trial: Trial) -> Breaches:
    breaches: Breaches = {"stage-names": [], "stage-files": [], "stage-metrics": [], "best-named": []}
    for name, stage in stages.items():
        where = f"{TRAINING_RESULT}: {STAGES}.{name}"
        described = stage if isinstance(stage, dict) else {}
        if not isinstance(name, str) or not name.isidentifier():
            breaches["stage-names"].append(f"{where}: {name!r} is no identifier.")
        if (again := described.get("stage_name", name)) != name:
            breaches["stage-names"].append(f"{where}: stage_name is {again!r}.")
        breaches["stage-files"] += _files(described, str(name), trial.folder.made / MODELS, where)
        breaches["stage-metrics"] += _metrics(described, where)
    best = told.get("best_stage_name", OLD_STAGE if STAGES not in told else None)
    if best not in stages:
        breaches["best-named"].append(f"{TRAINING_RESULT}: best_stage_name is {best!r}, none of the stages.")
    return breaches


def _files(stage: Mapping[str, Any], name: str, models: Path, where: str) -> list[str]:
    files = stage.get("files")
    if not isinstance(files, list) or not files:
        return [f"{where}: it names no files."]
    return [f"{where}.files: there is no file {file!r}." for file in files if not _is_there(file, name, models)]


def _is_there(file: object, stage: str, models: Path) -> bool:
    if not isinstance(file, str):
        return False
    places = [models / stage / file, models / file]
    return any(place.is_file() and place.resolve().is_relative_to(models.resolve()) for place in places)


def _metrics(stage: Mapping[str, Any], where: str) -> list[str]:
    faults = []
    for key in (*RATES, *COUNTS):
        value = stage.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            faults.append(f"{where}.{key}: {value!r} is no plain number.")
        elif not 0 <= value <= (1 if key in RATES else float("inf")):
            faults.append(f"{where}.{key}: {value!r} is out of bounds.")
    if not any(key in stage for key in RATES):
        faults.append(f"{where}: there is none of {', '.join(RATES)}.")
    return faults
