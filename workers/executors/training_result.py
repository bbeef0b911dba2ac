"""What a training left behind: models/result.yaml and the files of its stages, checked."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pydantic import JsonValue

from schemas.counts import counted
from schemas.errors import Fault, Invalid
from workers.executors.attachments import ATTACHMENTS, attached, evaluation_of, regular_file, shown
from workers.executors.layout import TRAINING_RESULT
from workers.foreign_yaml import NotYaml, read_yaml

STAGE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
RESULT_BYTES: Final = 16 * 2**20
STAGES: Final = "model_stages"
OLD_STAGE: Final = "default_best_stage"
RATES: Final = ("mAP", "mAR", "mIoU", "mAcc", "maskAP", "boxAP")
COUNTS: Final = ("tp", "fp", "fn")
GREATEST_COUNT: Final = 2**53
BEST_BY: Final = ("maskAP", "mIoU", "mAP")
STAGES_AT_MOST: Final = 1_000
FILES_AT_MOST: Final = 10_000
STAGES_KEPT: Final = 10
"""The newest, beside the best: as executors with YMIR's own library keep them."""
NOTHING: Final[Mapping[str, Path]] = MappingProxyType({})
NO_VALUES: Final[Mapping[str, Any]] = MappingProxyType({})
NEXT_STEP: Final = "Have the executor write what protocol 1.1.0 asks for."


class StageFiles(NamedTuple):
    """One checkpoint: its files on disk by their names inside the stage, and what the executor measured of it."""

    name: str
    files: Mapping[str, Path]
    metrics: dict[str, float]
    made_at: float = 0.0
    """Seconds since 1970, as the executor says; only their order means anything."""


class TrainingResult(NamedTuple):
    """The stages of a training, in the order in which the executor told of them, and what belongs to all of them."""

    stages: tuple[StageFiles, ...]
    best: str
    attachments: Mapping[str, Path] = NOTHING
    """Files beside the stages, by their paths in a package: ``attachments/<section>/<file>``."""
    evaluation: Mapping[str, JsonValue] = NO_VALUES
    """With which thresholds the metrics were measured, as the executor says."""
    warnings: tuple[str, ...] = ()


def read_training_result(models: Path) -> TrainingResult | None:
    """Return what the folder ``out/models`` holds, in the form of protocol 1.1.0 or the one before it.

    None if there is no result file. Raise Invalid naming every key that breaks a rule.
    """
    path = models / "result.yaml"
    if not path.is_file():
        return None
    told = _parsed(path)
    described = told.get(STAGES)
    if described is None:
        described = old_stages(told)
    if not isinstance(described, dict) or not described:
        raise _invalid([Fault("There must be at least one stage.", f"{TRAINING_RESULT}: {STAGES}")])
    faults: list[Fault] = []
    result = checked_stages(described, models, faults, named=told.get("best_stage_name"), file=TRAINING_RESULT)
    if faults:
        raise _invalid(faults)
    attachments, missing = attached(told.get(ATTACHMENTS), models, file=TRAINING_RESULT)
    kept, left_out = newest(result.stages, best=result.best)
    return TrainingResult(
        kept, result.best, attachments, evaluation_of(told.get("evaluate_config")), (*left_out, *missing)
    )


def newest(stages: Sequence[StageFiles], *, best: str) -> tuple[tuple[StageFiles, ...], tuple[str, ...]]:
    """Return the newest stages and the best one, in their order, and what there is to say of the others."""
    order = sorted(range(len(stages)), key=lambda position: (stages[position].made_at, position))
    kept = set(order[-STAGES_KEPT:])
    chosen = tuple(stage for position, stage in enumerate(stages) if position in kept or stage.name == best)
    left_out = [stage.name for stage in stages if stage not in chosen]
    if not left_out:
        return chosen, ()
    told = f"The {STAGES_KEPT} newest stages and the best are kept; left out: {counted(len(left_out), 'stage')}, as"
    return chosen, (f"{told} {left_out[0]!r}.",)


def old_stages(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the one stage that a result of a protocol before 1.1.0 describes, if it is one."""
    if "model" not in told:
        return {}
    files = [told["model"]] if isinstance(told["model"], str) else told["model"]
    return {OLD_STAGE: {"files": files, "mAP": told.get("map", told.get("mAP"))}}


def checked_stages(
    described: Mapping[str, object], folder: Path, faults: list[Fault], *, named: object, file: str, key: str = STAGES
) -> TrainingResult:
    """Return the stages that a file describes under ``key``, their files below ``folder``; add what is wrong.

    ``named`` is what the file says is the best stage; without a word of it the one with the best metric is.
    """
    files = sum(len(_files(stage)) for stage in described.values())
    if len(described) > STAGES_AT_MOST or files > FILES_AT_MOST:
        told = f"{len(described)} stages with {files} files are more than {STAGES_AT_MOST} with {FILES_AT_MOST}."
        faults.append(Fault(told, f"{file}: {key}"))
        return TrainingResult((), "")
    stages = tuple(
        _stage(str(name), stage, folder, faults, f"{file}: {key}.{name}") for name, stage in described.items()
    )
    best = str(named or _best(stages))
    if best not in {stage.name for stage in stages}:
        faults.append(Fault(f"There is no stage {best!r}.", f"{file}: best_stage_name"))
    return TrainingResult(stages, best)


def _parsed(path: Path) -> dict[str, Any]:
    if path.stat().st_size > RESULT_BYTES:
        raise _invalid([Fault(f"The file has more than {RESULT_BYTES} bytes.", TRAINING_RESULT)])
    try:
        told = read_yaml(path.read_bytes())
    except NotYaml as error:
        where = f"{TRAINING_RESULT}, line {error.line}"
        raise _invalid([Fault(f"It is not YAML: {error.detail}.", where)]) from error
    if not isinstance(told, dict):
        raise _invalid([Fault("It must hold keys and values.", TRAINING_RESULT)])
    return told


def _stage(name: str, told: object, models: Path, faults: list[Fault], where: str) -> StageFiles:
    if not STAGE_NAME.fullmatch(name) or name == ATTACHMENTS:
        faults.append(
            Fault("A stage is named by letters, digits, points, dashes and underscores, and not attachments.", where)
        )
        return StageFiles(name, {}, {})
    if not isinstance(told, dict) or not _files(told):
        faults.append(Fault("A stage names at least one file under files.", where))
        return StageFiles(name, {}, {})
    files = {}
    for position, file in enumerate(_files(told)):
        path = regular_file(file, models, within=(name, "")) if isinstance(file, str) else None
        if path is None:
            faults.append(Fault(f"There is no regular file {shown(file)} in the stage.", f"{where}.files[{position}]"))
        else:
            files[file.removeprefix(f"{name}/")] = path
    return StageFiles(name, files, _metrics(told, where, faults), _instant(told.get("timestamp")))


def _files(told: object) -> Sequence[Any]:
    files = told.get("files") if isinstance(told, dict) else None
    return files if isinstance(files, list) else ()


def _metrics(told: Mapping[str, Any], where: str, faults: list[Fault]) -> dict[str, float]:
    metrics = {}
    for key in (*RATES, *COUNTS):
        value = told.get(key)
        if value is None:
            continue
        greatest = 1 if key in RATES else GREATEST_COUNT
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= greatest:
            faults.append(Fault(f"It must be a number from 0 to {greatest}, not {shown(value)}.", f"{where}.{key}"))
        else:
            metrics[key] = float(value)
    return metrics


def _instant(told: object) -> float:
    if isinstance(told, bool) or not isinstance(told, int | float) or not abs(told) < GREATEST_COUNT:
        return 0.0
    return float(told)


def _best(stages: tuple[StageFiles, ...]) -> str:
    measured_by = next((key for key in BEST_BY if any(key in stage.metrics for stage in stages)), "")
    return max(reversed(stages), key=lambda stage: stage.metrics.get(measured_by, -1.0)).name


def _invalid(faults: list[Fault]) -> Invalid:
    first = faults[0]
    return Invalid(f"{first.pointer}: {first.detail}", step=NEXT_STEP, faults=faults)
