"""What an executor says of itself: the files under ``img-man/``, wherever they lie, checked."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pydantic import JsonValue, TypeAdapter, ValidationError

from schemas.annotations import ObjectType
from schemas.errors import Invalid
from schemas.executors import Protocol, Purpose, Templates
from workers.executors.contract import OBJECT_TYPES
from workers.foreign_yaml import NotYaml, read_yaml

MANIFEST: Final = "manifest.yaml"
TYPES_BY_NUMBER: Final = {number: object_type for object_type, number in OBJECT_TYPES.items()}
VALUES: Final = TypeAdapter(dict[str, JsonValue])
# Templates for one object type alone lie in a folder of its own.
TYPE_FOLDERS: Final[Mapping[str, ObjectType]] = {
    "det": ObjectType.DETECTION,
    "semantic-seg": ObjectType.SEMANTIC_SEGMENTATION,
    "instance-seg": ObjectType.INSTANCE_SEGMENTATION,
    "multi-modal": ObjectType.MULTI_MODAL,
}
TEMPLATE_NAMES: Final = {purpose: f"{purpose}-template.yaml" for purpose in Purpose}
FILES: Final = (
    MANIFEST,
    *(f"{folder}{name}" for folder in ("", *(f"{name}/" for name in TYPE_FOLDERS)) for name in TEMPLATE_NAMES.values()),
)
"""All files that are read, below ``img-man/``."""


class Manual(NamedTuple):
    """What the files say."""

    object_types: tuple[ObjectType, ...]
    templates: Templates
    type_templates: dict[ObjectType, Templates]
    protocol: Protocol | None
    read_only_root: bool
    is_livecode: bool


def read_manual(files: Mapping[str, bytes], *, where: str) -> Manual:
    """Return what the files say that are there, by their paths below ``img-man/``, which lies at ``where``.

    Raise Invalid naming the file at fault, or if there is no template: what YMIR calls 130401.
    """
    manifest = _values(files, MANIFEST, where) if MANIFEST in files else {}
    shared = _templates(files, "", where)
    types = {kind: found for folder, kind in TYPE_FOLDERS.items() if (found := _templates(files, f"{folder}/", where))}
    if not shared and not types:
        names = ", ".join(TEMPLATE_NAMES.values())
        raise Invalid(
            f"{where}: this is no executor, as it has none of {names} (YMIR's code 130401).",
            step="Name another one, or add a template for each thing that it can do.",
        )
    return Manual(
        object_types=_object_types(manifest, tuple(types), f"{where}/{MANIFEST}"),
        templates=shared or next(iter(types.values())),
        type_templates=types,
        protocol=_protocol(manifest.get("protocol_version"), f"{where}/{MANIFEST}"),
        read_only_root=manifest.get("read_only_root") is True,
        is_livecode=manifest.get("enable_livecode") is True,
    )


def known_protocol(version: str) -> Protocol | None:
    """Return the layout for a version of the protocol: the newest that is not newer; None for what is no version."""
    try:
        numbers = [int(part) for part in version.strip().split(".")]
    except ValueError:
        return None
    known = [protocol for protocol in Protocol if [int(part) for part in protocol.split(".")] <= numbers]
    return known[-1] if known else None


def _protocol(told: object, where: str) -> Protocol | None:
    if told is None:
        return None
    protocol = known_protocol(str(told))
    if protocol is None:
        raise Invalid(f"{where}: the protocol_version {told!r} is not known.", step=f"Known are {', '.join(Protocol)}.")
    return protocol


def _templates(files: Mapping[str, bytes], folder: str, where: str) -> Templates:
    named = {purpose: f"{folder}{name}" for purpose, name in TEMPLATE_NAMES.items()}
    return {purpose: _values(files, name, where) for purpose, name in named.items() if name in files}


def _object_types(
    manifest: Mapping[str, Any], with_templates: tuple[ObjectType, ...], where: str
) -> tuple[ObjectType, ...]:
    told = manifest.get("object_type")
    if told is None:
        return with_templates or (ObjectType.DETECTION,)
    numbers = told if isinstance(told, list) else [told]
    unknown = [number for number in numbers if not isinstance(number, int) or number not in TYPES_BY_NUMBER]
    if unknown or not numbers:
        known = ", ".join(f"{number} ({name})" for number, name in TYPES_BY_NUMBER.items())
        raise Invalid(f"{where}: object_type {unknown} is not known.", step=f"Known are {known}.")
    return tuple(TYPES_BY_NUMBER[number] for number in numbers)


def _values(files: Mapping[str, bytes], name: str, where: str) -> dict[str, JsonValue]:
    try:
        values = read_yaml(files[name])
        return VALUES.validate_python({} if values is None else values)
    except NotYaml as error:
        raise Invalid(f"{where}/{name}, line {error.line}: it is not YAML: {error.detail}.", step="Mend it.") from error
    except ValidationError as error:
        raise Invalid(f"{where}/{name}: it must hold keys and plain values.", step="Mend it.") from error
