"""Export of YOLO's variants: a file of lines for each annotated image, lists of the splits, and data.yaml."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Final

import orjson
import yaml

from storage.datasets.rows import AnnotationRow
from workers.formats.class_numbers import ClassNumbers
from workers.formats.coco_annotations import around
from workers.formats.exporter import ExportedImage, Member, Order
from workers.formats.losses import Field, lost_fields, tell_of_image
from workers.formats.oriented import around_rotated, corners_of, has_rotation
from workers.formats.outlines import PARTS_AT_MOST, joined, outlines_of
from workers.formats.split_lists import SplitLists
from workers.formats.yolo_settings import TASKS, Variant

KEPT: Final[Mapping[Variant, frozenset[Field]]] = {
    Variant.BOXES: frozenset({"confidence"}),
    Variant.POLYGONS: frozenset({"confidence", "polygons", "mask"}),
    Variant.ORIENTED: frozenset({"confidence", "rotation"}),
    Variant.KEYPOINTS: frozenset({"confidence", "keypoints"}),
}
DIGITS: Final = 15
"""Decimals of fractions: a ten-thousandth of a pixel in a picture of 100,000."""
NEAR: Final = 1e-6
BOX: Final = 4
ABSENT: Final = (0.0, 0.0, 0.0)


class YoloExporter:
    """``labels/<stem>.txt``, empty for an image annotated as empty; ``train.txt`` and so on; ``data.yaml``.

    Images that are not annotated are on no list: whoever trains would take them for empty. Nor are those without a
    split, which this format does not know.
    """

    displayed: ClassVar = True

    def __init__(self, variant: Variant, order: Order) -> None:
        self._variant = variant
        self._losses = order.losses
        self._classes = ClassNumbers(order.classes, first=0)
        self._splits = SplitLists(order)
        # How many key points there are is known at the end only.
        self._poses = order.spool("poses") if variant is Variant.KEYPOINTS else None
        self._points = 0

    def add(self, image: ExportedImage) -> Iterator[Member]:
        """Yield the file of an image, none if it is not annotated."""
        is_annotated = image.annotations is not None
        tell_of_image(image, self._losses, attributes=False, splits=is_annotated)
        if image.annotations is None:
            return
        self._splits.add(image.split, f"./images/{image.name}")
        lines = [self._line(image, row) for row in image.annotations]
        if self._poses is None:
            yield Member(_file(image.stem), [_texts(lines)])
        else:
            subjects = [image.subject(row) for row in image.annotations]
            self._poses.write(orjson.dumps([image.stem, lines, subjects]) + b"\n")

    def finish(self) -> Iterator[Member]:
        """Yield the lists of images and ``data.yaml``."""
        for pose in self._poses.lines() if self._poses else ():
            stem, lines, subjects = orjson.loads(pose)
            yield Member(_file(stem), [_texts(map(self._padded, lines, subjects))])
        settings: dict[str, object] = {"path": "."}
        for name, spool in self._splits.lists():
            settings[name] = f"{name}.txt"
            yield Member(f"{name}.txt", spool.pieces())
        settings["task"] = TASKS[self._variant]
        if self._points:
            settings["kpt_shape"] = [self._points, 3]
        settings["names"] = {number: name for name, number in self._classes.items()}
        yield Member("data.yaml", [yaml.safe_dump(settings, sort_keys=False, allow_unicode=True).encode()])

    def _line(self, image: ExportedImage, row: AnnotationRow) -> list[float] | None:
        """Return the numbers of an annotation; tell what is lost, all of it where there are none."""
        number = self._classes.of(row.class_name)
        if number is None:
            self._losses.add(
                image.subject(row), "It has no class, and is left out.", kind="annotations without a class"
            )
            return None
        numbers = self._numbers(image, row)
        if numbers is None:
            return None
        for kind, detail in lost_fields(row, keeps=KEPT[self._variant]):
            self._losses.add(image.subject(row), detail, kind=kind)
        return [number, *numbers, *(() if row.confidence is None else (row.confidence,))]

    def _numbers(self, image: ExportedImage, row: AnnotationRow) -> Sequence[float] | None:
        if self._variant is Variant.POLYGONS:
            outline = self._outline(image, row)
            return None if outline is None else _fractions(outline, image)
        given = row.box or around(row.polygons)
        if given is None:
            detail = "It has no box, and is left out."
            self._losses.add(image.subject(row), detail, kind="annotations without a box")
            return None
        if self._variant is Variant.ORIENTED:
            if row.rotation and not has_rotation(given, row.rotation):
                detail = f"Its box is too small for its rotation of {row.rotation} to show in its corners."
                self._losses.add(image.subject(row), detail, kind="rotation")
            return _fractions(corners_of(given, row.rotation), image)
        box = self._box(image, row, given)
        if box is None or self._variant is Variant.BOXES:
            return box
        self._points = max(self._points, len(row.keypoints) // 3)
        return [*box, *_pose(row.keypoints, image)]

    def _box(
        self, image: ExportedImage, row: AnnotationRow, given: tuple[float, float, float, float]
    ) -> list[float] | None:
        """Return the middle and size of a box; what Ultralytics would refuse the picture for is cut at its edges."""
        x, y, width, height = around_rotated(given, row.rotation)
        numbers = _middle(x, y, x + width, y + height, image)
        if all(-NEAR <= number <= 1 + NEAR for number in numbers):
            return numbers
        left, right = (min(max(side, 0.0), float(image.width)) for side in (x, x + width))
        top, bottom = (min(max(side, 0.0), float(image.height)) for side in (y, y + height))
        is_outside = left >= right or top >= bottom
        detail = (
            "is outside of the picture, and left out" if is_outside else "leaves the picture, and is cut at its edges"
        )
        self._losses.add(image.subject(row), f"Its box {detail}.", kind="boxes outside of the picture")
        return None if is_outside else _middle(left, top, right, bottom, image)

    def _outline(self, image: ExportedImage, row: AnnotationRow) -> Sequence[float] | None:
        """Return the one outline that this format has for an object; tell what it is made of."""
        polygons: Sequence[Sequence[float]] = row.polygons or (() if row.mask is None else outlines_of(row.mask))
        if polygons:
            outline: Sequence[float] | None = joined(polygons)
            told = _told_of_polygons(row)
        elif row.box is not None:
            outline = corners_of(row.box, row.rotation)
            told = "boxes as polygons", "Its box becomes a polygon."
        else:
            told = "annotations without a place", "It has no polygon, box or mask with an outline, and is left out."
            outline = None
        if row.mask is not None and outline is not None:
            kept = (
                f"its outline without holes, of at most {PARTS_AT_MOST} parts,"
                if not row.polygons and polygons
                else "its polygon"
            )
            told = "mask", f"Its mask is lost; {kept} is kept."
        if told:
            self._losses.add(image.subject(row), told[1], kind=told[0])
        return outline

    def _padded(self, line: list[float] | None, subject: str) -> list[float] | None:
        """Return a line with as many key points as any has."""
        if line is None:
            return None
        points = (len(line) - 1 - BOX) // 3
        end = 1 + BOX + 3 * points
        if 0 < points < self._points:
            detail = f"Its {points} key points become {self._points}, as all of this format have equally many."
            self._losses.add(subject, detail, kind="number of key points")
        return [*line[:end], *ABSENT * (self._points - points), *line[end:]]


def _told_of_polygons(row: AnnotationRow) -> tuple[str, str] | None:
    if len(row.polygons) > 1:
        few = "" if len(row.polygons) <= PARTS_AT_MOST else f" the largest {PARTS_AT_MOST} of"
        return "several polygons", f"Its {len(row.polygons)} polygons become one outline that links{few} them."
    if row.box is not None and not _alike(row.box, around(row.polygons)):
        return "boxes beside polygons", "Its box is not the one about its polygon, which is kept."
    return None


def _file(stem: str) -> str:
    return f"labels/{stem}.txt"


def _middle(left: float, top: float, right: float, bottom: float, image: ExportedImage) -> list[float]:
    return [
        (left + right) / 2 / image.width,
        (top + bottom) / 2 / image.height,
        (right - left) / image.width,
        (bottom - top) / image.height,
    ]


def _fractions(points: Sequence[float], image: ExportedImage) -> list[float]:
    return [number / (image.height if place % 2 else image.width) for place, number in enumerate(points)]


def _pose(keypoints: Sequence[float], image: ExportedImage) -> list[float]:
    sizes = (image.width, image.height, 1)
    return [number / sizes[place % 3] for place, number in enumerate(keypoints)]


def _alike(box: Sequence[float], other: Sequence[float] | None) -> bool:
    return other is not None and all(abs(one - two) < NEAR for one, two in zip(box, other, strict=True))


def _texts(lines: Iterable[Sequence[float] | None]) -> bytes:
    return "".join(_text(line) for line in lines if line is not None).encode()


def _text(line: Sequence[float]) -> str:
    number, *numbers = line
    return " ".join((str(int(number)), *(f"{value:.{DIGITS}g}" for value in numbers))) + "\n"
