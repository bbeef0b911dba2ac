"""The labels of one image in YOLO's format: a line for each object, in fractions of the picture as displayed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.counts import counted
from schemas.errors import Fault, Invalid
from schemas.reports import Finding
from storage.datasets.rows import AnnotationRow, ImageRow
from workers.formats.coco_annotations import around
from workers.formats.format import Labels
from workers.formats.oriented import oriented_box
from workers.formats.yolo_settings import Variant

BYTES_AT_MOST: Final = 16 << 20
DECIMALS: Final = 9
SLACK: Final = 0.01
"""So much may a box leave the picture and be moved back into it; Ultralytics refuses more than that as well."""
ASTRAY: Final = 1.0
"""So many pictures away may a corner lie."""
BOX: Final = 4
CORNERS: Final = 8


class _Wrong(Exception):
    """What is wrong with a line."""


@dataclass(frozen=True)
class YoloParser:
    """Reads files of labels, knowing what their numbers mean."""

    classes: tuple[str, ...]
    variant: Variant
    keypoints: tuple[int, int] | None = None

    def __call__(self, path: Path, *, name: str, image: ImageRow | None) -> Labels:
        """Return what a file says; raise Invalid with file and line for each thing that is wrong in it.

        An empty file is of an image annotated as empty.
        """
        if path.stat().st_size > BYTES_AT_MOST:
            raise Invalid(f"{name} has more than {BYTES_AT_MOST >> 20} MiB.", faults=[Fault("too large", name)])
        size = (1, 1) if image is None else (image.width, image.height)
        rows, faults, findings = [], [], []
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            columns = line.split()
            if not columns:
                continue
            try:
                row, remark = self._row(columns, size)
            except _Wrong as error:
                faults.append(Fault(str(error), f"{name}:{number}"))
                continue
            rows.append(row)
            if remark:
                findings.append(Finding(subject=f"{name}:{number}", detail=remark[1], kind=remark[0]))
        if faults:
            message = f"{name} has {counted(len(faults), 'fault')}; the first: {faults[0].pointer}: {faults[0].detail}."
            raise Invalid(message, step="Correct or remove the file.", faults=faults)
        return Labels(tuple(rows), displayed=True, findings=tuple(findings))

    def _row(self, columns: list[bytes], size: tuple[int, int]) -> tuple[AnnotationRow, tuple[str, str] | None]:
        name = self._class(columns[0])
        numbers = [_number(column) for column in columns[1:]]
        if self.variant is Variant.KEYPOINTS and self.keypoints is not None:
            row, rest, remark = self._pose(numbers, self.keypoints, size)
        elif len(numbers) in {BOX, BOX + 1}:
            box, remark = _box(numbers[:BOX], size)
            row, rest = AnnotationRow(box=box), numbers[BOX:]
        elif self.variant is Variant.ORIENTED:
            row, rest, remark = _oriented(numbers, size)
        else:
            row, rest, remark = _polygon(numbers, size)
        return row._replace(class_name=name, confidence=_confidence(rest)), remark

    def _class(self, column: bytes) -> str:
        number = _number(column)
        if not number.is_integer() or number < 0:
            message = f"starts with {_shown(column)}, which is no number of a class"
            raise _Wrong(message)
        if number >= len(self.classes) or not self.classes[int(number)]:
            message = f"is of the class {int(number)}, which has no name; there are {len(self.classes)} classes"
            raise _Wrong(message)
        return self.classes[int(number)]

    def _pose(
        self, numbers: Sequence[float], shape: tuple[int, int], size: tuple[int, int]
    ) -> tuple[AnnotationRow, Sequence[float], tuple[str, str] | None]:
        points, each = shape
        wanted = BOX + points * each
        if len(numbers) not in {wanted, wanted + 1}:
            message = f"has {len(numbers)} numbers after its class; kpt_shape {[points, each]} needs {wanted}"
            raise _Wrong(message)
        box, remark = _box(numbers[:BOX], size)
        found: list[float] = []
        for start in range(BOX, wanted, each):
            x, y, *seen = numbers[start : start + each]
            visibility = seen[0] if seen else 2.0 * (x != 0 or y != 0)
            if visibility not in {0, 1, 2}:
                message = f"has a key point whose visibility is {visibility:g}; it is 0, 1 or 2"
                raise _Wrong(message)
            _check_near((x, y))
            place = (_pixels(x, size[0]), _pixels(y, size[1]), visibility)
            found += place if visibility or x or y else (0.0, 0.0, 0.0)
        return AnnotationRow(box=box, keypoints=tuple(found) if any(found) else ()), numbers[wanted:], remark


def _number(column: bytes) -> float:
    try:
        value = float(column)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        message = f"has {_shown(column)}, which is no finite number"
        raise _Wrong(message)
    return value


def _shown(column: bytes) -> str:
    return repr(column[:30].decode("ascii", "replace"))


def _box(
    numbers: Sequence[float], size: tuple[int, int]
) -> tuple[tuple[float, float, float, float], tuple[str, str] | None]:
    least, most = min(numbers), max(numbers)
    remark = None
    if least < -SLACK or most > 1 + SLACK:
        message = f"has a box with {least if least < -SLACK else most:g}; fractions of the picture are from 0 to 1"
        raise _Wrong(message)
    if least < 0 or most > 1:
        remark = "clipped", f"A box with {least if least < 0 else most:g} was clipped to fractions from 0 to 1."
    x, y, width, height = (min(max(number, 0.0), 1.0) for number in numbers)
    across, down = size
    left, top = _pixels(x - width / 2, across), _pixels(y - height / 2, down)
    return (left, top, _pixels(width, across), _pixels(height, down)), remark


def _corners(numbers: Sequence[float], size: tuple[int, int]) -> tuple[float, ...]:
    _check_near(numbers)
    return tuple(_pixels(number, size[place % 2]) for place, number in enumerate(numbers))


def _pixels(fraction: float, length: int) -> float:
    # What was whole pixels comes back as such, though its fraction was not exact.
    return round(fraction * length, DECIMALS)


def _check_near(numbers: Sequence[float]) -> None:
    for number in numbers:
        if not -ASTRAY <= number <= 1 + ASTRAY:
            message = f"has a point at {number:g}; fractions of the picture are from 0 to 1"
            raise _Wrong(message)


def _oriented(
    numbers: Sequence[float], size: tuple[int, int]
) -> tuple[AnnotationRow, Sequence[float], tuple[str, str] | None]:
    if len(numbers) not in {CORNERS, CORNERS + 1}:
        message = f"has {len(numbers)} numbers after its class; an oriented box has {CORNERS}, x and y of its corners"
        raise _Wrong(message)
    box, rotation, is_exact = oriented_box(_corners(numbers[:CORNERS], size))
    remark = None if is_exact else ("no rectangle", "The corners form no rectangle; the least one about them is kept.")
    return AnnotationRow(box=box, rotation=rotation), numbers[CORNERS:], remark


def _polygon(
    numbers: Sequence[float], size: tuple[int, int]
) -> tuple[AnnotationRow, Sequence[float], tuple[str, str] | None]:
    whole = len(numbers) - len(numbers) % 2
    if whole <= BOX:
        message = f"has {len(numbers)} numbers after its class; a box has 4, a polygon 6 or more"
        raise _Wrong(message)
    points = _corners(numbers[:whole], size)
    return AnnotationRow(box=around((points,)), polygons=(points,)), numbers[whole:], None


def _confidence(rest: Sequence[float]) -> float | None:
    if not rest:
        return None
    if not 0 <= rest[0] <= 1:
        message = f"has the confidence {rest[0]:g}, which is not from 0 to 1"
        raise _Wrong(message)
    return rest[0]
