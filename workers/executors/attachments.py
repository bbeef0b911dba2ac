"""What a training or a package has beside its stages: attached files, and how its metrics were measured."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import JsonValue, TypeAdapter, ValidationError

from schemas.counts import counted

ATTACHMENTS: Final = "attachments"
ATTACHMENTS_KEPT: Final = 1_000
SECTION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_JSON: Final[TypeAdapter[dict[str, JsonValue]]] = TypeAdapter(dict[str, JsonValue])


def attached(told: object, folder: Path, *, file: str) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Return the files that are attached, by their paths in a package, and what is wrong with what a file says of them.

    They lie below ``folder`` in ``attachments/<section>``, or where stages have theirs. A model is worth keeping
    without them: what cannot be used is a warning.
    """
    if told is None:
        return {}, ()
    if not isinstance(told, dict):
        return {}, (f"{file}: {ATTACHMENTS}: it must hold lists of files by section; nothing was attached.",)
    files: dict[str, Path] = {}
    wrong: list[str] = []
    for section, names in told.items():
        if not isinstance(section, str) or not SECTION.fullmatch(section) or not isinstance(names, list):
            wrong.append(f"the section {shown(section)}")
            continue
        for name in names:
            within = (f"{ATTACHMENTS}/{section}", section, "")
            path = regular_file(name, folder, within=within) if isinstance(name, str) else None
            if path is None:
                wrong.append(f"the file {shown(name)} of {section}")
            else:
                files[f"{ATTACHMENTS}/{section}/{Path(name).as_posix()}"] = path
    warnings = [f"{file}: {counted(len(wrong), 'attachment')} cannot be used, as {wrong[0]}."] if wrong else []
    if len(files) > ATTACHMENTS_KEPT:
        warnings.append(f"{file}: of {len(files)} attachments the first {ATTACHMENTS_KEPT} are kept.")
    return dict([*files.items()][:ATTACHMENTS_KEPT]), tuple(warnings)


def evaluation_of(told: object) -> dict[str, JsonValue]:
    """Return with which thresholds something was measured, nothing where that cannot be read."""
    try:
        return _JSON.validate_python(told)
    except ValidationError:
        return {}


def regular_file(file: str, folder: Path, *, within: Sequence[str]) -> Path | None:
    """Return a file of the first of some folders below ``folder`` that has it; None if it leads out, or is none."""
    if Path(file).is_absolute() or ".." in Path(file).parts:
        return None
    root = folder.resolve()
    for path in (folder / one / file for one in within):
        resolved = path.resolve()
        if resolved.is_relative_to(root) and resolved.is_file():
            return resolved
    return None


def shown(value: object) -> str:
    """Return a value of a foreign file for people, as short as it has to be."""
    # YAML's references make small files whose lists would take for ever to be written out.
    return repr(value)[:100] if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"
