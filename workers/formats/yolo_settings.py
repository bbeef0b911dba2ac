"""What a folder in YOLO's format says of itself: classes, kind of labels, and what belongs to which split."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

from schemas.errors import Fault, Invalid
from schemas.splits import Split
from workers.foreign_yaml import NotYaml, read_yaml
from workers.formats.format import Listing
from workers.formats.listing import base_name, folder_of
from workers.formats.voc_names import class_name

BYTES_AT_MOST: Final = 4 << 20
SPLITS: Final[Mapping[str, Split]] = {
    "train": Split.TRAINING,
    "val": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "test": Split.TEST,
}
NAMES_FILES: Final = frozenset({"classes.txt", "obj.names", "_darknet.labels"})
CLASSES_AT_MOST: Final = 100_000
POINTS_AT_MOST: Final = 10_000


class Variant(StrEnum):
    """What the numbers of a line are."""

    BOXES = "yolo"
    POLYGONS = "yolo-seg"
    ORIENTED = "yolo-obb"
    KEYPOINTS = "yolo-pose"


TASKS: Final[Mapping[Variant, str]] = {
    Variant.BOXES: "detect",
    Variant.POLYGONS: "segment",
    Variant.ORIENTED: "obb",
    Variant.KEYPOINTS: "pose",
}


class YoloSettings(NamedTuple):
    """What ``data.yaml`` says, or a list of classes without one."""

    file: str
    classes: Sequence[str]
    """Under their numbers; an empty name is one that is not given."""
    keypoints: tuple[int, int] | None = None
    """How many points, and how many numbers each: ``kpt_shape``."""
    task: Variant | None = None
    root: str = ""
    """The folder that ``sources`` are relative to."""
    sources: Sequence[tuple[Split, str]] = ()
    """Folders or lists of images."""
    faults: Sequence[Fault] = ()


def settings_file(listing: Listing) -> str | None:
    """Return the file that names the classes, nearest to the top: a YAML with ``names``, else a list of them."""
    candidates = (path for path in listing.others if _may_name_classes(path))
    by_depth = sorted(candidates, key=lambda path: (path.count("/"), path))
    for path in by_depth:
        if path.lower().endswith((".yaml", ".yml")) and _has_names(listing.folder / path):
            return path
    return next((path for path in by_depth if not path.lower().endswith((".yaml", ".yml"))), None)


def _may_name_classes(path: str) -> bool:
    return path.lower().endswith((".yaml", ".yml", ".names")) or base_name(path) in NAMES_FILES


def read_settings(folder: Path, file: str) -> YoloSettings:
    """Return what a file says; raise Invalid naming its line or key where it cannot be used at all."""
    path = folder / file
    if path.stat().st_size > BYTES_AT_MOST:
        raise Invalid(f"{file} has more than {BYTES_AT_MOST >> 20} MiB.", faults=[Fault("too large", file)])
    if not file.lower().endswith((".yaml", ".yml")):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        while lines and not lines[-1].strip():
            lines.pop()
        faults: list[Fault] = []
        names = dict(enumerate(lines))
        return YoloSettings(file, _classes(names, lambda number: f"{file}:{number + 1}", faults), faults=faults)
    return _Yaml(file, _loaded(path, file)).settings


class _Yaml:
    def __init__(self, file: str, content: Mapping[str, Any]) -> None:
        self._file = file
        self._content = content
        self._faults: list[Fault] = []

    @cached_property
    def settings(self) -> YoloSettings:
        return YoloSettings(
            self._file,
            self._names(),
            self._keypoints(),
            self._task(),
            self._root(),
            [*self._sources()],
            self._faults,
        )

    def _fault(self, detail: str, key: str) -> None:
        self._faults.append(Fault(detail, f"{self._file}: {key}"))

    def _names(self) -> list[str]:
        names = self._content.get("names")
        if isinstance(names, list):
            names = dict(enumerate(names))
        if not isinstance(names, dict) or not all(isinstance(key, int) and 0 <= key < CLASSES_AT_MOST for key in names):
            self._fault("is neither a list nor a map of numbers to names", "names")
            return []
        return _classes(names, lambda number: f"{self._file}: names[{number}]", self._faults)

    def _keypoints(self) -> tuple[int, int] | None:
        shape = self._content.get("kpt_shape")
        if shape is None:
            return None
        match shape:
            case [int(points), 2 | 3 as numbers] if 0 < points <= POINTS_AT_MOST:
                return points, numbers
        self._fault("is not [number of points, 2 or 3]", "kpt_shape")
        return None

    def _task(self) -> Variant | None:
        task = self._content.get("task")
        if task is None:
            return None
        for variant, name in TASKS.items():
            if task == name:
                return variant
        self._fault(f"is none of {', '.join(TASKS.values())}", "task")
        return None

    def _root(self) -> str:
        folder = folder_of(self._file)
        path = self._content.get("path")
        return below(folder, path) if isinstance(path, str) and not path.startswith("/") else folder

    def _sources(self) -> list[tuple[Split, str]]:
        found = []
        for key, split in SPLITS.items():
            value = self._content.get(key)
            sources = value if isinstance(value, list) else [] if value is None else [value]
            for source in sources:
                if isinstance(source, str):
                    found.append((split, source))
                else:
                    self._fault("is not a path, or a list of such", key)
        return found


def _classes(names: Mapping[int, Any], where: Any, faults: list[Fault]) -> list[str]:  # noqa: ANN401 - a function
    found = [""] * (max(names, default=-1) + 1)
    for number, name in names.items():
        try:
            found[number] = class_name(str(name))
        except ValueError as error:
            faults.append(Fault(f"is no class name ({error}): {str(name)[:50]!r}", where(number)))
    return found


def _loaded(path: Path, file: str) -> dict[str, Any]:
    try:
        content = read_yaml(path.read_bytes())
    except NotYaml as error:
        raise _unusable(error.detail, f"{file}:{error.line}") from error
    if not isinstance(content, dict):
        raise _unusable("it is no map of settings", f"{file}:1")
    return content


def _unusable(detail: str, where: str) -> Invalid:
    fault = Fault(f"not usable YAML: {detail}", where)
    return Invalid(f"{where}: {fault.detail}.", step="Correct the file.", faults=[fault])


def _has_names(path: Path) -> bool:
    with path.open("rb") as file:
        return any(line.startswith((b"names:", b'"names":', b"'names':")) for line in file.read(1 << 20).splitlines())


def below(folder: str, path: str) -> str:
    """Return a path relative to a folder; steps up, which few of these files mean, are left out."""
    parts = [part for part in PurePosixPath(path.replace("\\", "/")).parts if part not in {"..", ".", "/"}]
    return "/".join([folder, *parts] if folder else parts)
