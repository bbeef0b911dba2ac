"""YOLO as Ultralytics reads it: a file of lines for each image, and data.yaml, or a list of classes."""

from collections.abc import Iterator
from itertools import chain
from typing import Final

from schemas.reports import Finding
from workers.formats.format import FileRecord, Listing, Reading
from workers.formats.yolo_labels import CORNERS, YoloParser
from workers.formats.yolo_layout import LabelFiles, YoloSplits, peeked
from workers.formats.yolo_settings import Variant, YoloSettings, read_settings, settings_file

BOX_COLUMNS: Final = 5


class Yolo:
    """Images with files of labels, in one of YOLO's variants or in the one that they look like.

    An image with an empty file is annotated as empty, one without a file not annotated. Coordinates are those of the
    picture as displayed: Ultralytics swaps sizes by EXIF, and OpenCV turns the picture before it is learned from.
    """

    looks_for = "data.yaml with names, or classes.txt, and labels/*.txt"

    def __init__(self, name: str, variant: Variant | None) -> None:
        self.name = name
        self._variant = variant

    def detect(self, listing: Listing) -> bool:
        """Return whether there are names of classes, and files of labels whose lines are numbers."""
        file = settings_file(listing)
        if file is None:
            return False
        if file.lower().endswith((".yaml", ".yml")):
            return True
        labels = LabelFiles(listing, lists=[file])
        first = next(labels.used(), None)
        return first is not None and all(
            all(map(_is_number, columns)) for columns in peeked(listing.folder, labels.used())
        )

    def read(self, listing: Listing) -> Reading:
        """Return each image with its file of labels; raise Invalid where there is no list of classes to be read."""
        settings = read_settings(listing.folder, settings_file(listing) or "data.yaml")
        splits = YoloSplits(listing, settings)
        files = LabelFiles(listing, lists=[settings.file, *splits.lists])
        variant = self._variant or _looked_at(listing, files, settings)
        return Reading(
            len(listing.images),
            _records(listing, splits, files),
            chain(splits.findings, files.left(), _taken_for(variant, settings)),
            settings.faults,
            YoloParser(tuple(settings.classes), variant, settings.keypoints),
            taken_for=variant,
        )


def _records(listing: Listing, splits: YoloSplits, files: LabelFiles) -> Iterator[FileRecord]:
    for image, split, file in zip(listing.images, splits.in_order(), files.in_order(), strict=True):
        yield FileRecord(image, split, labels_file=file)


def _looked_at(listing: Listing, files: LabelFiles, settings: YoloSettings) -> Variant:
    """Return the variant that settings name, else the one that the lines look like."""
    if settings.keypoints is not None:
        return Variant.KEYPOINTS
    if settings.task is not None:
        return settings.task
    lengths = {len(columns) for columns in peeked(listing.folder, files.used())}
    if lengths and lengths <= {1 + CORNERS, 2 + CORNERS}:
        return Variant.ORIENTED
    return Variant.POLYGONS if max(lengths, default=0) > BOX_COLUMNS + 1 else Variant.BOXES


def _taken_for(variant: Variant, settings: YoloSettings) -> Iterator[Finding]:
    if variant is Variant.ORIENTED and settings.task is None:
        detail = "All lines have four corners and are taken for oriented boxes; name the format yolo-seg for polygons."
        yield Finding(subject=settings.file, detail=detail, kind="taken for")


def _is_number(column: bytes) -> bool:
    try:
        float(column)
    except ValueError:
        return False
    return True
