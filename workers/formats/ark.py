"""Ark: YMIR's text of boxes, one file for each image and one line for each box."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from schemas.reports import Finding
from schemas.splits import Split
from workers.formats.ark_classes import ClassLists, is_class_list
from workers.formats.ark_index import INDEX_NAMES, Indexes
from workers.formats.ark_lines import ArkFiles
from workers.formats.format import FileRecord, Listing, Reading
from workers.formats.listing import base_name, folder_of, split_of
from workers.formats.voc_layout import Matches

FOLDERS: Final = frozenset({"annotations", "labels", "gt", "ark"})
IMAGE_FOLDERS: Final = frozenset({"images", "jpegimages", "assets"})
PREDICTIONS: Final = frozenset({"pred", "predictions"})
PREDICTED: Final = "left out: it is a prediction; import a folder of images and predictions into a layer of its own"
LOOKED_AT: Final = 1_000
HEAD_BYTES: Final = 4_096
# Class, four corners and, maybe, quality and angle; YOLO has blanks where this has commas.
_LINE: Final = re.compile(r"[^,\t]+(,\s*[-+]?[0-9.]+(e[-+]?[0-9]+)?){4,6}", re.IGNORECASE)


class Ark:
    """Images and text files of the same names, index files that pair them and list splits, and a list of classes."""

    name = "ark"
    looks_for = "text files with lines `class, xmin, ymin, xmax, ymax`, or index.tsv"

    def detect(self, listing: Listing) -> bool:
        """Return whether the first text file that has a line has such a line, or there is an index of text files.

        YMIR writes such indexes for other formats, too: of XML files, or of one JSON file.
        """
        indexes = [path for path in listing.others if base_name(path).lower() in INDEX_NAMES]
        is_alone = not any(path.lower().endswith((".xml", ".json")) for path in listing.others)
        if any(_is_index(listing.folder / path, is_alone=is_alone) for path in indexes):
            return True
        heads = (_head(listing.folder / path) for path in _text_files(listing.others)[:LOOKED_AT])
        first = next((head[0] for head in heads if head), "")
        return bool(_LINE.fullmatch(first.strip(",")))

    def read(self, listing: Listing) -> Reading:
        """Return each image with the text file that an index names, else has its name; without one not annotated."""
        used, left_out = _without_predictions(listing)
        indexes = Indexes(listing._replace(others=used))
        matches = Matches(listing.folder, listing.images, ignoring=IMAGE_FOLDERS | FOLDERS, named_in=None)
        taken = set(indexes.files.values())
        for path in _text_files(used):
            if path not in taken:
                matches.add(path)
        files = {**matches.files, **indexes.files}
        findings = [*left_out, *indexes.findings, *matches.findings]
        classes = ClassLists(listing)
        faults = [*indexes.faults, *matches.faults, *classes.faults]
        records = _records(listing, files, indexes.splits)
        return Reading(len(listing.images), records, findings, faults, ArkFiles(classes))


def _text_files(others: Sequence[str]) -> Sequence[str]:
    return [
        path
        for path in others
        if path.lower().endswith(".txt") and not is_class_list(path) and "imagesets" not in _folders(path)
    ]


def _without_predictions(listing: Listing) -> tuple[Sequence[str], list[Finding]]:
    """Return the files that are not for images, without predictions if there are others, and what is left out."""
    texts = _text_files(listing.others)
    labels = [path for path in texts if _folders(path).isdisjoint(PREDICTIONS)]
    inside = [path for path in labels if not _folders(path).isdisjoint(FOLDERS)]
    kept = frozenset(inside or labels or texts)
    details = {
        path: PREDICTED if not _folders(path).isdisjoint(PREDICTIONS) else "left out: not in a folder of annotations"
        for path in texts
        if path not in kept
    }
    used = [
        path
        for path in listing.others
        if path not in details and (not labels or _folders(path).isdisjoint(PREDICTIONS))
    ]
    return used, [Finding(subject=path, detail=detail, kind="left out") for path, detail in details.items()]


def _folders(path: str) -> frozenset[str]:
    return frozenset(path.lower().split("/")[:-1])


def _records(listing: Listing, files: Mapping[str, str], splits: Mapping[str, Split]) -> Iterator[FileRecord]:
    for image in listing.images:
        # Where there are lists of splits, what is on none is in none.
        split = splits.get(image) if splits else split_of(folder_of(image))
        yield FileRecord(image, split, labels_file=files.get(image))


def _head(path: Path) -> list[str]:
    with path.open("rb") as file:
        lines = file.read(HEAD_BYTES).decode("utf-8", "replace").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _is_index(path: Path, *, is_alone: bool) -> bool:
    seconds = [line.partition("\t")[2].lower() for line in _head(path)]
    # The last line may be cut.
    files = [second for second in seconds[:LOOKED_AT][:-1] or seconds if second]
    # An index of images alone says nothing of how they are annotated, where they may be.
    return all(file.endswith(".txt") for file in files) and bool(files or (seconds and is_alone))
