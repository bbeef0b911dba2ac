"""Model packages from elsewhere: unpacked, of layout 2.0 or the one before it, checked key by key."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import JsonValue, TypeAdapter, ValidationError

from schemas.annotations import ClassName, ObjectType
from schemas.counts import counted
from schemas.errors import Fault, Invalid
from schemas.model_parameters import Preprocess
from workers.executors.attachments import ATTACHMENTS, attached, evaluation_of
from workers.executors.contract import OBJECT_TYPES
from workers.executors.training_result import OLD_STAGE, TrainingResult, checked_stages
from workers.foreign_yaml import NotYaml, read_yaml
from workers.packages import INFO, INFO_BYTES, PREPROCESS, read_preprocess

STEP: Final = "Pack it as YMIR's documents of the package layout 2.0 (or 1.1) say, or export it there again."
_CLASS: Final[TypeAdapter[str]] = TypeAdapter(ClassName)
_JSON: Final[TypeAdapter[dict[str, JsonValue]]] = TypeAdapter(dict[str, JsonValue])


class ForeignPackage(NamedTuple):
    """What a package holds; its files stay where they were unpacked."""

    result: TrainingResult
    classes: tuple[str, ...]
    object_type: ObjectType
    config: dict[str, JsonValue]
    executor: str
    preprocess: Preprocess | None


def read_package(folder: Path) -> ForeignPackage:
    """Return what an unpacked package holds; raise Invalid naming every key that breaks a rule."""
    info = _info(folder)
    faults: list[Fault] = []
    context, config = _mapping(info, "task_context", faults), _mapping(info, "executor_config", faults)
    result = _stages(info, context, folder, faults)
    classes = _classes(config, faults)
    object_type = _object_type(info.get("object_type"), faults)
    if faults:
        raise Invalid(f"The package has {counted(len(faults), 'fault')}.", step=STEP, faults=faults)
    executor = context.get("executor")
    attachments, warnings = _attachments(folder)
    result = result._replace(
        attachments=attachments, evaluation=evaluation_of(info.get("evaluate_config")), warnings=warnings
    )
    return ForeignPackage(
        result,
        classes,
        object_type,
        config,
        executor if isinstance(executor, str) else "",
        read_preprocess(context.get(PREPROCESS)),
    )


def _info(folder: Path) -> dict[str, Any]:
    path = folder / INFO
    if not path.is_file():
        raise Invalid(f"The package has no {INFO} at its top.", step=STEP)
    if path.stat().st_size > INFO_BYTES:
        raise Invalid(f"{INFO} has more than {INFO_BYTES} bytes.", step=STEP)
    try:
        info = read_yaml(path.read_bytes())
    except NotYaml as error:
        raise Invalid(
            f"{INFO}, line {error.line}: it is not YAML that can be used: {error.detail}.", step=STEP
        ) from error
    if not isinstance(info, dict):
        raise Invalid(f"{INFO}: it must hold keys and values.", step=STEP)
    return info


def _stages(info: Mapping[str, Any], context: Mapping[str, Any], folder: Path, faults: list[Fault]) -> TrainingResult:
    described, key = info.get("stages"), "stages"
    if described is None and "models" in info:
        described, key = {OLD_STAGE: {"files": info["models"], "mAP": context.get("mAP")}}, "models"
    if not isinstance(described, dict) or not described:
        faults.append(Fault("There must be at least one stage.", f"{INFO}: stages"))
        return TrainingResult((), "")
    return checked_stages(described, folder, faults, named=info.get("best_stage_name"), file=INFO, key=key)


def _mapping(info: Mapping[str, Any], key: str, faults: list[Fault]) -> dict[str, JsonValue]:
    try:
        return _JSON.validate_python(info.get(key))
    except ValidationError:
        faults.append(Fault("It must hold keys and values that JSON can hold.", f"{INFO}: {key}"))
        return {}


def _classes(config: Mapping[str, Any], faults: list[Fault]) -> tuple[str, ...]:
    where, names = f"{INFO}: executor_config.class_names", config.get("class_names")
    if not isinstance(names, list) or not names:
        faults.append(Fault("It must list the classes of the model.", where))
        return ()
    classes = []
    for position, name in enumerate(names):
        try:
            classes.append(_CLASS.validate_python(name))
        except ValidationError as error:
            faults.append(Fault(f"It is no class name: {error.errors()[0]['msg']}.", f"{where}[{position}]"))
    if len(set(classes)) < len(classes):
        faults.append(Fault("It names a class twice.", where))
    return tuple(classes)


def _object_type(number: object, faults: list[Fault]) -> ObjectType:
    # Absent or 0 in packages that are older than the other types.
    known = {value: kind for kind, value in OBJECT_TYPES.items()} | {0: ObjectType.DETECTION}
    if number is None or (isinstance(number, int) and number in known):
        return known[number or 0]
    faults.append(Fault(f"It must be one of {sorted(known)}.", f"{INFO}: object_type"))
    return ObjectType.DETECTION


def _attachments(folder: Path) -> tuple[dict[str, Path], tuple[str, ...]]:
    # Whatever lies there, whether it is listed or not: nothing of a package is lost.
    found = sorted(path for path in (folder / ATTACHMENTS).glob("*/**/*") if path.is_file() and not path.is_symlink())
    sections: dict[str, list[str]] = {}
    for path in found:
        section, _, name = path.relative_to(folder / ATTACHMENTS).as_posix().partition("/")
        sections.setdefault(section, []).append(name)
    return attached(sections, folder, file="The package")
