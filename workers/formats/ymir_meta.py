"""``meta.yaml`` beside predictions: which model made them, and what it can predict."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
import yaml

from schemas.annotations import LayerName
from schemas.errors import Fault
from schemas.manifests import Predictions
from schemas.schema import Digest, digest_of
from workers.foreign_yaml import NotYaml, read_yaml
from workers.formats.label_studio_task import PREDICTIONS, layer_named
from workers.formats.voc_names import class_name

META: Final = "meta.yaml"
BYTES_AT_MOST: Final = 4 << 20
_DIGEST: Final = re.compile("sha256:[0-9a-f]{64}")


class YmirMeta(NamedTuple):
    """What is known of a layer of predictions."""

    layer: LayerName = PREDICTIONS
    predictions: Predictions | None = None
    faults: Sequence[Fault] = ()


def read_meta(path: Path, *, name: str) -> YmirMeta:
    """Return what a ``meta.yaml`` says; what is wrong with it is among its faults.

    The model is known by its digest, or by that of what is said of it. What it can predict is ``eval_class_names``,
    else the class names of the model.
    """
    content, fault = _loaded(path, name)
    faults = [] if fault is None else [fault]
    model = content.get("model") or {}
    if not isinstance(model, dict):
        faults.append(Fault("is not a map", f"{name}: model"))
        model = {}
    classes = _classes(content.get("eval_class_names") or model.get("class_names") or [], name, faults)
    stage = str(model.get("best_stage_name") or "")[:200]
    predictions = Predictions(
        model=_digest(model.get("digest"), model),
        stage=stage,
        configuration=_digest(content.get("configuration"), content.get("executor_config")),
        classes=classes,
    )
    return YmirMeta(_layer(content, model, stage), predictions if model or classes else None, faults)


def meta_yaml(layer: LayerName, predictions: Predictions | None) -> bytes:
    """Return a ``meta.yaml`` that says all of a layer of predictions."""
    meta: dict[str, object] = {"layer": layer}
    if predictions is not None:
        meta["model"] = {"digest": predictions.model, "best_stage_name": predictions.stage}
        meta["configuration"] = predictions.configuration
        meta["eval_class_names"] = [*predictions.classes]
    return yaml.safe_dump(meta, sort_keys=False, allow_unicode=True).encode()


def _classes(names: object, name: str, faults: list[Fault]) -> tuple[str, ...]:
    if not isinstance(names, list):
        faults.append(Fault("is not a list", f"{name}: eval_class_names"))
        return ()
    classes = []
    for position, given in enumerate(names):
        try:
            classes.append(class_name(str(given)))
        except ValueError as error:
            faults.append(Fault(f"is no class name ({error})", f"{name}: eval_class_names[{position}]"))
    return tuple(dict.fromkeys(classes))


def _layer(content: Mapping[str, Any], model: Mapping[str, Any], stage: str) -> LayerName:
    named = content.get("layer") or model.get("model_name") or str(model.get("model_hash") or "")[:12]
    return layer_named(f"{named}@{stage}" if named and stage and "layer" not in content else named or PREDICTIONS)


def _digest(given: object, said: object) -> Digest:
    if isinstance(given, str) and _DIGEST.fullmatch(given):
        return given
    return digest_of(orjson.dumps(said, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str))


def _loaded(path: Path, name: str) -> tuple[dict[str, Any], Fault | None]:
    if path.stat().st_size > BYTES_AT_MOST:
        return {}, Fault(f"has more than {BYTES_AT_MOST >> 20} MiB", name)
    try:
        content = read_yaml(path.read_bytes())
    except NotYaml as error:
        return {}, Fault(f"not usable YAML: {error.detail}", f"{name}:{error.line}")
    if content is not None and not isinstance(content, dict):
        return {}, Fault("is no map", f"{name}:1")
    return content or {}, None
