"""The label file: the classes of a repository as its user writes them, in lines (labels.csv) or YAML (labels.yaml)."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from client.mir.codes import Code, MirError

HEADER: Final = "# type_id, preserved, main type name, alias...\n"
COLUMNS_AT_LEAST: Final = 3
YAML_SUFFIXES: Final = frozenset({".yaml", ".yml"})
VERSION: Final = "2.0.0"


class Label(NamedTuple):
    """One class: its main name, and its other names."""

    name: str
    aliases: tuple[str, ...] = ()


class LabelFile(NamedTuple):
    """What a label file holds; its lines are written back as they were read."""

    path: Path
    labels: tuple[Label, ...]
    text: str
    ignored: tuple[str, ...] = ()
    """What is no class, by line: worth a word."""


def read_labels(path: Path) -> LabelFile:
    """Return what a label file says; one that is not there has no class. Raise MirError naming file and line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if path.is_symlink():
            message = f"{path} is a link to {path.readlink()}, and nothing is there"
            raise MirError(Code.INVALID_FILE, message, step="Make that file, or correct the link.") from None
        return LabelFile(path, (), "")
    except (OSError, UnicodeError) as error:
        raise MirError(Code.INVALID_FILE, f"{path} cannot be read: {error}", step="Save it as UTF-8 text.") from error
    return _read_yaml(path, text) if path.suffix in YAML_SUFFIXES else _read_lines(path, text)


def with_labels(file: LabelFile, added: Sequence[Label]) -> str:
    """Return the text of a label file with classes appended; all else stays as it is."""
    if file.path.suffix in YAML_SUFFIXES:
        return _yaml_with(file, added)
    text = file.text or HEADER
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")  # a name with a comma is quoted
    writer.writerows((number, "", label.name, *label.aliases) for number, label in enumerate(added, len(file.labels)))
    end = "" if text.endswith("\n") else "\n"
    return f"{text}{end}{rows.getvalue()}"


def _read_lines(path: Path, text: str) -> LabelFile:
    names = _Names(path)
    labels: list[Label] = []
    ignored: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        columns = [column.strip() for column in next(csv.reader([line]))]
        if len(columns) < COLUMNS_AT_LEAST:
            ignored.append(f"{path}, line {number}: {line.strip()!r} is no class and is ignored; write id,,name")
            continue
        where = f"line {number}"
        _check_columns(columns, path, where=where, expected=len(labels))
        labels.append(names.checked(columns[2], _without_last_empty(columns[3:]), where=where))
    return LabelFile(path, tuple(labels), text, tuple(ignored))


def _check_columns(columns: Sequence[str], path: Path, *, where: str, expected: int) -> None:
    if columns[0] != str(expected):
        step = f"Ids ascend from 0, line by line: this one is {expected}. Append new classes at the end."
        raise _wrong(path, where, f"the id {columns[0]!r} is not {expected}", step=step)
    if columns[1]:
        step = f"It stays empty: {columns[0]},,{','.join(column for column in columns[1:] if column)}"
        raise _wrong(path, where, f"the second column holds {columns[1]!r}", step=step)


def _without_last_empty(columns: Sequence[str]) -> Sequence[str]:
    # `0,,person,` is what some editors make of `0,,person`.
    return columns[:-1] if columns and not columns[-1] else columns


class _Names:
    """Checks that every name and alias is there once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, str] = {}

    def checked(self, name: object, aliases: Iterable[object], *, where: str) -> Label:
        return Label(self._once(name, where), tuple(self._once(alias, where) for alias in aliases))

    def _once(self, name: object, where: str) -> str:
        text = str(name).strip().lower() if isinstance(name, str | int | float) else ""
        if not text:
            raise _wrong(self._path, where, "a name is empty", step="Write it, or remove the comma.")
        if text in self._places:
            step = "Every name and alias stands for one class: remove one of the two."
            raise _wrong(self._path, where, f"the name {text!r} is on {self._places[text]} already", step=step)
        self._places[text] = where
        return text


def _read_yaml(path: Path, text: str) -> LabelFile:
    content = _yaml(path, text)
    names = _Names(path)
    labels: list[Label] = []
    for number, entry in enumerate(content.get("labels") or ()):
        where = f"labels[{number}]"
        if not isinstance(entry, dict) or "name" not in entry:
            raise _wrong(path, where, "it has no name", step="Write {id: …, name: …, aliases: […]}.")
        if entry.get("id", number) != number:
            step = f"Ids ascend from 0 in order of the list: this one is {number}. Append new classes at the end."
            raise _wrong(path, where, f"the id {entry['id']!r} is not {number}", step=step)
        labels.append(names.checked(entry["name"], entry.get("aliases") or (), where=where))
    return LabelFile(path, tuple(labels), text)


def _yaml(path: Path, text: str) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - heavy, and seldom needed

    try:
        content = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "the file" if mark is None else f"line {mark.line + 1}"
        raise _wrong(path, where, "it is no YAML", step="Correct it.") from error
    if not isinstance(content, dict) or not isinstance(content.get("labels") or [], list):
        raise _wrong(path, "the file", "it has no list `labels`", step="Write labels: [{id: 0, name: person}].")
    return content


def _yaml_with(file: LabelFile, added: Sequence[Label]) -> str:
    import yaml  # noqa: PLC0415 - heavy, and seldom needed

    content = _yaml(file.path, file.text)
    now = datetime.now(UTC).replace(tzinfo=None)
    entries = [
        {"id": number, "name": label.name, "aliases": list(label.aliases), "create_time": now, "update_time": now}
        for number, label in enumerate(added, start=len(file.labels))
    ]
    content["labels"] = [*(content.get("labels") or ()), *entries]
    content.setdefault("ymir_version", VERSION)
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _wrong(path: Path, where: str, what: str, *, step: str) -> MirError:
    return MirError(Code.INVALID_FILE, f"{path}, {where}: {what}", step=step)
