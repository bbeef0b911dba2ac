"""Rules for what an executor says of itself under ``img-man/``."""

from collections.abc import Mapping
from typing import Any, Final

from schemas.errors import Invalid
from workers.executors.conformance.rules import Breaches
from workers.executors.contract import RESERVED, export_format, shared_memory_bytes
from workers.executors.manual import MANIFEST, TEMPLATE_NAMES, read_manual
from workers.foreign_yaml import NotYaml, read_yaml

TEMPLATE: Final = next(iter(TEMPLATE_NAMES.values()))
PLAIN: Final = (str, int, float, bool, type(None))


def manual(files: Mapping[str, bytes]) -> Breaches:
    """Return what is wrong with the files, given by their paths below ``img-man/``."""
    templates = [name for name in files if name.endswith(tuple(TEMPLATE_NAMES.values()))]
    breaches: Breaches = {"templates": [] if templates else ["There is none."], "manifest": _manifest(files)}
    if not templates:
        return breaches
    breaches |= {"template-values": [], "template-reserved": [], "template-known": []}
    for name in templates:
        try:
            values = read_yaml(files[name])
        except NotYaml as error:
            breaches["template-values"].append(f"{name}, line {error.line}: {error.detail}.")
            continue
        breaches["template-values"] += _values({} if values is None else values, name)
        breaches["template-known"] += _unknown(values, name)
        reserved = sorted(RESERVED & set(values)) if isinstance(values, dict) else []
        breaches["template-reserved"] += [f"{name}: {key}" for key in reserved]
    return breaches


def _values(values: object, name: str) -> list[str]:
    if not isinstance(values, dict):
        return [f"{name}: it must hold keys and values."]
    return [f"{name}: {key}" for key, value in values.items() if not isinstance(key, str) or not _is_plain(value)]


def _unknown(values: object, name: str) -> list[str]:
    if not isinstance(values, dict):
        return []
    faults = []
    for read in (export_format, shared_memory_bytes):
        try:
            read(values)
        except Invalid as error:
            faults.append(f"{name}: {error.detail}")
    return faults


def _is_plain(value: Any) -> bool:  # noqa: ANN401 - any YAML
    return isinstance(value, PLAIN) or (isinstance(value, list) and all(isinstance(one, PLAIN) for one in value))


def _manifest(files: Mapping[str, bytes]) -> list[str]:
    if MANIFEST not in files:
        return []
    try:
        # With a template that is beyond doubt, what is refused is the manifest.
        read_manual({MANIFEST: files[MANIFEST], TEMPLATE: b""}, where="img-man")
    except Invalid as error:
        return [error.detail]
    return []
