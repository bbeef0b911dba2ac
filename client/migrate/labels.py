"""The label files of YMIR's releases: classes by number, with their aliases."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import TypeAdapter, ValidationError

from schemas.counts import counted
from schemas.errors import Fault, Invalid
from schemas.projects import ClassEntry

_ENTRY: Final = TypeAdapter(ClassEntry)
PARTS_AT_LEAST: Final = 3
STEP: Final = "Correct the label file, or name another with --labels."

Labels = dict[int, ClassEntry]


def read_labels(path: Path) -> Labels:
    """Return the classes by their number; raise Invalid naming the lines or entries that are wrong.

    ``labels.yaml`` is that of 0.5 and later, ``labels.csv`` that of 0.3 and 0.4 (``number,,name[,alias…]``).
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"The label file {path} cannot be read: {error}.", step=STEP) from None
    faults: list[Fault] = []
    raw = _of_csv(text, path, faults) if path.suffix == ".csv" else _of_yaml(text, path, faults)
    labels: Labels = {}
    for where, number, names in raw:
        try:
            labels[number] = _ENTRY.validate_python({"name": names[0], "aliases": [name for name in names[1:] if name]})
        except ValidationError as error:
            faults.append(Fault(f"is no class: {error.errors()[0]['msg']}", where))
    if faults:
        raise Invalid(f"The label file {path} has {counted(len(faults), 'fault')}.", step=STEP, faults=faults)
    return labels


def _of_csv(text: str, path: Path, faults: list[Fault]) -> Iterable[tuple[str, int, list[str]]]:
    for line, parts in enumerate(csv.reader(text.splitlines()), start=1):
        if not parts or parts[0].lstrip().startswith("#") or len(parts) < PARTS_AT_LEAST:
            continue
        if not parts[0].strip().isdecimal():
            faults.append(Fault(f"has no number in front: {parts[0]!r}", f"{path.name}:{line}"))
            continue
        yield f"{path.name}:{line}", int(parts[0]), parts[2:]


def _of_yaml(text: str, path: Path, faults: list[Fault]) -> Iterable[tuple[str, int, list[str]]]:
    try:
        whole: Any = yaml.safe_load(text) or {}
        entries = whole.get("labels") or []
    except (yaml.YAMLError, AttributeError) as error:
        faults.append(Fault(f"is no YAML with a list of labels: {error}", path.name))
        return
    for position, entry in enumerate(entries):
        where = f"{path.name}: labels[{position}]"
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), int):
            faults.append(Fault("has no id that is a number", where))
            continue
        yield where, entry["id"], [str(entry.get("name", "")), *map(str, entry.get("aliases") or [])]
