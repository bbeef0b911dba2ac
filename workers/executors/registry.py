"""Registering an executor: what a folder with ``img-man/`` and ``start.sh`` says of itself."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import JsonValue, TypeAdapter, ValidationError

from schemas.annotations import ObjectType
from schemas.errors import Invalid
from schemas.executors import Executor, ExecutorSubmission, Purpose, Runtime
from schemas.schema import Digest, derived_id
from workers.executors.contract import OBJECT_TYPES
from workers.foreign_yaml import NotYaml, read_yaml

TYPES_BY_NUMBER: Final = {number: object_type for object_type, number in OBJECT_TYPES.items()}
VALUES: Final = TypeAdapter(dict[str, JsonValue])
BUILT_IN: Final = Path(__file__).parents[2] / "deploy" / "executors"
"""The executors that come with the installation."""


def inspect(submission: ExecutorSubmission, *, roots: Sequence[Path], at: datetime) -> Executor:
    """Return the executor that a folder is, with its templates, object types and the digest of its files.

    It reads files: call it in a thread. Raise Invalid naming the file at fault, or if the folder is not under one of
    the ``roots``.
    """
    if submission.runtime is not Runtime.PROCESS:
        raise Invalid(
            f"Executors of the runtime {submission.runtime} are not offered yet.",
            step=f"Register a folder with the runtime {Runtime.PROCESS}.",
        )
    folder = _folder(submission.reference, roots)
    if not (folder / "start.sh").is_file():
        raise Invalid(f"{folder}: an executor is started by a file start.sh, and there is none.", step="Add it.")
    return Executor(
        id=derived_id("executor", submission.name),
        name=submission.name,
        runtime=submission.runtime,
        reference=str(folder),
        digest=digest_of_folder(folder),
        description=submission.description,
        object_types=_object_types(folder / "img-man" / "manifest.yaml"),
        templates=_templates(folder / "img-man"),
        limits=submission.limits,
        created_at=at,
    )


def digest_of_folder(folder: Path) -> Digest:
    """Return the SHA-256 over the names and bytes of a folder's regular files, in order of their names.

    Each is its path with ``/``, a zero byte, and the SHA-256 of its bytes. Folders named ``__pycache__`` are left out.
    """
    whole = hashlib.sha256()
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_symlink()}
    for name in sorted(paths):
        if paths[name].is_file() and "__pycache__" not in Path(name).parts:
            whole.update(name.encode() + b"\0" + hashlib.sha256(paths[name].read_bytes()).digest())
    return f"sha256:{whole.hexdigest()}"


def _folder(reference: str, roots: Sequence[Path]) -> Path:
    folder = Path(reference)
    named = [root / reference for root in roots] if not folder.is_absolute() else [folder]
    found = next((path.resolve() for path in named if path.is_dir()), None)
    if found is None:
        raise Invalid(f"There is no folder {reference!r}.", step=f"Name a folder under {_listed(roots)}.")
    if not any(found.is_relative_to(root.resolve()) for root in roots):
        raise Invalid(
            f"The folder {reference!r} is not under a root of executors.", step=f"Put it under {_listed(roots)}."
        )
    return found


def _templates(manual: Path) -> dict[Purpose, dict[str, JsonValue]]:
    templates = {}
    for purpose in Purpose:
        path = manual / f"{purpose}-template.yaml"
        if path.is_file():
            templates[purpose] = _values(path)
    if not templates:
        names = ", ".join(f"{purpose}-template.yaml" for purpose in Purpose)
        raise Invalid(f"{manual}: an executor has at least one of {names}.", step="Add one for each thing it can do.")
    return templates


def _object_types(manifest: Path) -> tuple[ObjectType, ...]:
    told = _values(manifest).get("object_type") if manifest.is_file() else None
    numbers = told if isinstance(told, list) else [told or OBJECT_TYPES[ObjectType.DETECTION]]
    unknown = [number for number in numbers if number not in TYPES_BY_NUMBER]
    if unknown or not numbers:
        known = ", ".join(f"{number} ({name})" for number, name in TYPES_BY_NUMBER.items())
        raise Invalid(f"{manifest}: object_type {unknown} is not known.", step=f"Known are {known}.")
    return tuple(TYPES_BY_NUMBER[number] for number in numbers if isinstance(number, int))


def _values(path: Path) -> dict[str, JsonValue]:
    try:
        values = read_yaml(path.read_bytes())
        return VALUES.validate_python({} if values is None else values)
    except NotYaml as error:
        raise Invalid(f"{path}, line {error.line}: it is not YAML: {error.detail}.", step="Mend it.") from error
    except ValidationError as error:
        raise Invalid(f"{path}: it must hold keys and plain values.", step="Mend it.") from error


def _listed(roots: Sequence[Path]) -> str:
    return " or ".join(str(root) for root in roots) or "a root of executors (none is configured)"
