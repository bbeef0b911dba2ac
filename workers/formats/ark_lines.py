"""What one ark file says of its image."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from schemas.counts import counted
from schemas.errors import Fault, Invalid
from storage.datasets.rows import AnnotationRow, ImageRow
from workers.formats.ark_classes import ClassLists
from workers.formats.format import Labels
from workers.formats.json_values import SHOWN, Wrong
from workers.formats.voc_names import ABSENT, DECIMALS, class_name

BYTES_AT_MOST: Final = 16 << 20
FIELDS: Final = ("class", "xmin", "ymin", "xmax", "ymax", "quality", "angle")
NEEDED: Final = 5


class ArkFiles(NamedTuple):
    """Reads ark files with the list of classes that is nearest to each."""

    classes: ClassLists

    def __call__(self, path: Path, *, name: str, image: ImageRow | None) -> Labels:  # noqa: ARG002 - form of a parser
        """Return the boxes of a file; raise Invalid with a fault for each line that is wrong.

        As YMIR writes it: corners are pixels that belong to the box, so width is xmax - xmin + 1; a quality of -1 is
        none.
        """
        classes = self.classes.near(name)
        rows: list[AnnotationRow] = []
        faults: list[Fault] = []
        for number, line in enumerate(_text(path, name).splitlines(), start=1):
            if not line.strip():
                continue
            try:
                rows.append(_row(line, classes))
            except Wrong as error:
                faults.append(Fault(error.detail, f"{name}:{number}"))
        if faults:
            raise _invalid(name, faults)
        return Labels(tuple(rows))


def _text(path: Path, name: str) -> str:
    data = path.read_bytes()
    if len(data) > BYTES_AT_MOST:
        raise _invalid(name, [Fault(f"has more than {BYTES_AT_MOST >> 20} MiB", name)])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _invalid(name, [Fault("is not UTF-8", f"{name}:{line}")]) from None


def _row(line: str, classes: Sequence[str] | None) -> AnnotationRow:
    fields = [field.strip() for field in line.split(",")]
    if not NEEDED <= len(fields) <= len(FIELDS):
        raise Wrong(f"has {len(fields)} fields; it needs {', '.join(FIELDS[:NEEDED])}, and may have quality and angle")
    left, top, right, bottom, *more = (
        _number(field, name) for field, name in zip(fields[1:], FIELDS[1:], strict=False)
    )
    for low, high, axis in ((left, right, "x"), (top, bottom, "y")):
        if low > high:
            raise Wrong(f"has {axis}min {low:g} greater than {axis}max {high:g}")
    quality = more[0] if more and more[0] != ABSENT else None
    sides = round(right - left + 1, DECIMALS), round(bottom - top + 1, DECIMALS)
    rotation = more[1] if len(more) > 1 else 0.0
    return AnnotationRow(_class(fields[0], classes), (left, top, *sides), rotation, quality=quality)


def _class(field: str, classes: Sequence[str] | None) -> str:
    if not field.removeprefix("-").isdecimal():
        try:
            return class_name(field)
        except ValueError as error:
            raise Wrong(f"has no class name ({error}): {field[:SHOWN]!r}") from None
    if classes is None:
        raise Wrong(
            f"has the class number {field[:SHOWN]}, and there is no list of classes; add classes.txt beside the "
            "annotations, with the name of class 0 in the first line"
        )
    if len(field) > len("999999") or not 0 <= int(field) < len(classes):
        raise Wrong(f"has the class number {field[:SHOWN]}; the list of classes has {len(classes)}, from 0 on")
    return classes[int(field)]


def _number(field: str, name: str) -> float:
    try:
        number = float(field)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Wrong(f"has no finite number as {name}: {field[:SHOWN]!r}")
    return number


def _invalid(name: str, faults: Sequence[Fault]) -> Invalid:
    message = f"{name} has {counted(len(faults), 'fault')}; the first: {faults[0].pointer}: {faults[0].detail}."
    return Invalid(message, step="Correct or remove the file.", faults=faults)
