"""Label Studio: JSON files with tasks, as it exports them, whole or as JSON-MIN."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from schemas.reports import Finding
from workers.formats.documents import documents_in
from workers.formats.format import FileRecord, Listing, Reading
from workers.formats.label_studio_document import TaskPlaces
from workers.formats.label_studio_task import read_task
from workers.formats.listing import folder_of, split_of
from workers.formats.paths import Paths

PEEK_BYTES: Final = 1 << 16
_TASK: Final = re.compile(rb"^\s*(\[\s*)?\{")
_KEYS: Final = re.compile(
    rb'"(from_name|was_cancelled|annotations_results|total_predictions|(rectangle|polygon|brush|keypoint|ellipse)labels)"\s*:'
)
_DATA: Final = re.compile(rb'"data"\s*:\s*\{')
_WORK: Final = re.compile(rb'"(annotations|predictions|completions)"\s*:\s*\[')


class LabelStudio:
    """One JSON file with a list of tasks, several of them, or a file for each task.

    Coordinates are percents of the picture as displayed, which is what browsers show and measure.
    """

    name = "label-studio"
    looks_for = "JSON with tasks that have data and annotations or predictions"

    def detect(self, listing: Listing) -> bool:
        """Return whether there is a JSON file that looks like tasks."""
        return bool(documents_in(listing, ".json", _looks_right))

    def read(self, listing: Listing) -> Reading:
        """Return each image with the task about it; one without a task is not annotated."""
        files = _documents(listing)
        places = TaskPlaces(listing, files)
        findings = chain(places.findings, _without_task(listing, places))
        return Reading(len(listing.images), _records(listing, places), findings, places.faults, parse_part=read_task)


def looks_like_label_studio(start: bytes) -> bool:
    """Return whether a JSON file, known by its start, has tasks of Label Studio."""
    if not _TASK.match(start):
        return False
    return bool(_KEYS.search(start) or (_DATA.search(start) and _WORK.search(start)))


def _documents(listing: Listing) -> Sequence[str]:
    """Return all files with tasks: there may be one for each."""
    found = (path for path in listing.others if path.lower().endswith(".json") and _looks_right(listing.folder / path))
    return Paths(found, scratch=listing.scratch)


def _looks_right(path: Path) -> bool:
    with path.open("rb") as file:
        return looks_like_label_studio(file.read(PEEK_BYTES).removeprefix(b"\xef\xbb\xbf"))


def _without_task(listing: Listing, places: TaskPlaces) -> Iterator[Finding]:
    for image, place in zip(listing.images, places.in_order(), strict=True):
        if place is None:
            yield Finding(subject=image, detail="There is no task about it: it is not annotated.", kind="no entry")


def _records(listing: Listing, places: TaskPlaces) -> Iterator[FileRecord]:
    for image, place in zip(listing.images, places.in_order(), strict=True):
        by_folder = split_of(folder_of(image))
        if place is None:
            yield FileRecord(image, by_folder)
        else:
            file, part, split = place
            yield FileRecord(image, split or by_folder, labels_file=file, part=part)
