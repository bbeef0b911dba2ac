"""The two files that tell an executor what to do: env.yaml and config.yaml."""

import difflib
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from pydantic import JsonValue

from schemas.annotations import ObjectType
from schemas.errors import Invalid
from schemas.executors import Protocol, Purpose
from workers.executors.layout import (
    ANNOTATIONS,
    ASSETS,
    CANDIDATE_INDEX,
    CONFIGURATION,
    INFER_RESULT,
    LOG,
    MINING_RESULT,
    MODELS,
    MONITOR,
    TRAINING_INDEX,
    TRAINING_RESULT,
    VALIDATION_INDEX,
    Layout,
)

KEYS_TOLD: Final = 10
OBJECT_TYPES: Final[Mapping[ObjectType, int]] = {
    ObjectType.DETECTION: 2,
    ObjectType.SEMANTIC_SEGMENTATION: 3,
    ObjectType.INSTANCE_SEGMENTATION: 4,
    ObjectType.MULTI_MODAL: 50,
}
# Decided by the system alone, and absent where it has nothing to say.
RESERVED: Final = frozenset(
    {
        "task_id",
        "class_names",
        "gpu_id",
        "gpu_count",
        "object_type",
        "pretrained_model_params",
        "model_params_path",
        "run_mining",
        "run_infer",
    }
)
# Honoured for every executor, whether its template names them or not.
ALWAYS_KNOWN: Final = frozenset({"export_format", "shm_size"})
SIZE: Final = re.compile(r"(\d{1,15}(?:\.\d{1,3})?)([bkmgt]?)(?:i?b)?")
ALIASES: Final = {"det-ark": "ark", "det-voc": "voc", "seg-coco": "coco", "": "voc"}


class ExportFormat(StrEnum):
    """How annotations are written for an executor."""

    VOC = "voc"
    ARK = "ark"
    COCO = "coco"
    NONE = "none"


class Configuration(NamedTuple):
    """The content of config.yaml, and what the user should know about it."""

    values: dict[str, JsonValue]
    warnings: tuple[str, ...]


def environment(
    task: str, *, purposes: frozenset[Purpose], layout: Layout, protocol: Protocol | None = None
) -> dict[str, JsonValue]:
    """Return the content of env.yaml; index files that the run has no use for are empty strings.

    An executor that asks for no ``protocol`` is told the newest. Before 1.0.0 there was no word of it.
    """
    root_in, root_out = layout.root_in, layout.root_out
    training = Purpose.TRAINING in purposes
    candidates = bool(purposes & {Purpose.MINING, Purpose.INFER})
    return {
        **({} if protocol is Protocol.V0_0 else {"protocol_version": str(protocol or Protocol.V1_1)}),
        "task_id": task,
        "run_training": training,
        "run_mining": Purpose.MINING in purposes,
        "run_infer": Purpose.INFER in purposes,
        "manifest_file": f"{layout.manual}/manifest.yaml",
        "input": {
            "root_dir": root_in,
            "assets_dir": f"{root_in}/{ASSETS}",
            "annotations_dir": f"{root_in}/{ANNOTATIONS}",
            "models_dir": f"{root_in}/{MODELS}",
            "training_index_file": f"{root_in}/{TRAINING_INDEX}" if training else "",
            "val_index_file": f"{root_in}/{VALIDATION_INDEX}" if training else "",
            "candidate_index_file": f"{root_in}/{CANDIDATE_INDEX}" if candidates else "",
            "config_file": f"{root_in}/{CONFIGURATION}",
        },
        "output": {
            "root_dir": root_out,
            "models_dir": f"{root_out}/{MODELS}",
            "tensorboard_dir": f"{root_out}/tensorboard",
            "training_result_file": f"{root_out}/{TRAINING_RESULT}",
            "mining_result_file": f"{root_out}/{MINING_RESULT}",
            "infer_result_file": f"{root_out}/{INFER_RESULT}",
            "monitor_file": f"{root_out}/{MONITOR}",
            "executor_log_file": f"{root_out}/{LOG}",
        },
    }


def configuration(
    template: Mapping[str, JsonValue], config: Mapping[str, JsonValue], *, reserved: Mapping[str, JsonValue]
) -> Configuration:
    """Return the template with the user's values, and over both what is ``reserved`` to the system.

    A parameter that the template does not know is passed on, with a warning that names the nearest known one.
    """
    known = sorted({*template, *ALWAYS_KNOWN} - RESERVED)
    warnings = [_overwritten(key) for key in config if key in RESERVED]
    warnings += [_unknown(key, known) for key in config if key not in RESERVED and key not in known]
    merged = {key: value for key, value in {**template, **config}.items() if key not in RESERVED}
    return Configuration({**merged, **reserved}, tuple(warnings))


def reserved_values(
    task: str,
    *,
    purposes: frozenset[Purpose],
    classes: Sequence[str],
    object_type: ObjectType,
    gpus: int,
    models: Sequence[str],
) -> dict[str, JsonValue]:
    """Return what the system alone decides in config.yaml; ``models`` are paths as the executor sees them."""
    values: dict[str, JsonValue] = {
        "task_id": task,
        "class_names": list(classes),
        "gpu_id": ",".join(str(number) for number in range(gpus)),
        "gpu_count": gpus,
        "object_type": object_type_number(object_type),
    }
    if Purpose.TRAINING not in purposes:
        values["model_params_path"] = list(models)
        values["run_mining"] = int(Purpose.MINING in purposes)
        values["run_infer"] = int(Purpose.INFER in purposes)
    elif models:
        values["pretrained_model_params"] = list(models)
    return values


def object_type_number(object_type: ObjectType) -> int:
    """Return the number by which executors know an object type; raise Invalid for one that they have none for."""
    if object_type not in OBJECT_TYPES:
        known = ", ".join(OBJECT_TYPES)
        raise Invalid(
            f"Executors have no number for projects of the object type {object_type}.",
            step=f"Train and infer in a project of one of: {known}.",
        )
    return OBJECT_TYPES[object_type]


def export_format(config: Mapping[str, JsonValue], *, protocol: Protocol | None = None) -> ExportFormat:
    """Return the annotation format that a config asks for: ``<annotations>:<assets>``.

    If it says nothing that is VOC, and ark for an executor of a protocol before 1.1.0, which knew no other.
    """
    asked = config.get("export_format") or ("" if protocol in {None, Protocol.V1_1} else ExportFormat.ARK)
    annotations, _, assets = str(asked).strip().lower().partition(":")
    name = ALIASES.get(annotations, annotations)
    if name not in set(ExportFormat) or assets not in {"", "raw"}:
        raise Invalid(
            f"The export_format {asked!r} is not known.",
            step=f"Use one of: {', '.join(f'{known}:raw' for known in ExportFormat)}.",
        )
    return ExportFormat(name)


def shared_memory_bytes(config: Mapping[str, JsonValue]) -> int | None:
    """Return the size of shared memory that a config asks for with ``shm_size``, such as 16G; None if it says nothing.

    Raise Invalid if it is no size.
    """
    asked = config.get("shm_size")
    if asked is None or asked == "":
        return None
    size = SIZE.fullmatch(str(asked).strip().lower())
    if size is None or float(size[1]) <= 0:
        raise Invalid(f"The shm_size {asked!r} is no size.", step="Write it as 16G, 512M or a number of bytes.")
    return int(float(size[1]) * 1024 ** "bkmgt".index(size[2] or "b"))


def _overwritten(key: str) -> str:
    return f"The parameter {key!r} is set by the system; the value given was not used."


def _unknown(key: str, known: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(key, known, n=1)
    hint = f"The nearest that it knows is {nearest[0]!r}." if nearest else f"It knows {', '.join(known[:KEYS_TOLD])}."
    return f"The executor's template does not know the parameter {key!r}; it was passed on. {hint}"
