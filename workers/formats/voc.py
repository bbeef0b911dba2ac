"""Pascal VOC: one XML file for each image."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from schemas.reports import Finding
from storage.datasets.rows import ImageRow
from workers.formats.format import FileRecord, Labels, Listing, Reading
from workers.formats.paths import Paths
from workers.formats.voc_labels import read_labels
from workers.formats.voc_layout import ListedSplits, Matches, is_split_list

IMAGE_FOLDERS: Final = frozenset({"images", "jpegimages"})
LABEL_FOLDERS: Final = frozenset({"annotations", "gt"})
HEAD_BYTES: Final = 2_048
_ROOT: Final = re.compile(rb"<annotation[\s>]")


class Voc:
    """Images and XML files in folders beside each other, or all in one."""

    name = "voc"
    looks_for = "XML files with <annotation>, in annotations/, gt/ or beside the images"

    def __init__(self, *, labels: frozenset[str] = LABEL_FOLDERS) -> None:
        self._labels = labels

    def detect(self, listing: Listing) -> bool:
        """Return whether there is an XML file that looks like an annotation, or a list of a split in its place."""
        return any(map(is_split_list, listing.others)) or any(
            _is_annotation(listing.folder / path) for path in _xml_files(listing.others)
        )

    def read(self, listing: Listing) -> Reading:
        """Return each image with the XML file of its name; an image without one is not annotated."""
        xml_files = Paths(_xml_files(listing.others), scratch=listing.scratch)
        images = _within(listing.images, IMAGE_FOLDERS, listing.scratch)
        label_files = _within(xml_files, self._labels, listing.scratch)
        matches = Matches(listing.folder, images, ignoring=IMAGE_FOLDERS | self._labels, scratch=listing.scratch)
        for path in label_files:
            matches.add(path)
        splits = ListedSplits(listing, images)
        findings = [
            *_left_out(listing.images, images, IMAGE_FOLDERS, detail="left out: not in a folder of images"),
            *_left_out(xml_files, label_files, self._labels, detail="left out: not in a folder of annotations"),
            *matches.findings,
            *splits.findings,
        ]
        return Reading(len(images), _records(images, matches, splits), findings, matches.faults, parse_file)


def parse_file(path: Path, *, name: str, image: ImageRow | None) -> Labels:  # noqa: ARG001 - the form of a parser
    """Return what an XML file says; raise Invalid with a fault for each thing that is wrong in it."""
    return read_labels(path.read_bytes(), name=name)


def _xml_files(paths: Iterable[str]) -> Iterator[str]:
    return (path for path in paths if path.lower().endswith(".xml"))


def _is_annotation(path: Path) -> bool:
    with path.open("rb") as file:
        # Without the zero bytes of UTF-16.
        return bool(_ROOT.search(file.read(HEAD_BYTES).replace(b"\0", b"")))


def _within(paths: Sequence[str], folders: frozenset[str], scratch: Path | None) -> Sequence[str]:
    """Return the paths below folders of those names; all of them where there is no such folder."""
    inside = Paths((path for path in paths if _is_within(path, folders)), scratch=scratch)
    return inside if 0 < len(inside) < len(paths) else paths


def _is_within(path: str, folders: frozenset[str]) -> bool:
    return not folders.isdisjoint(path.lower().split("/")[:-1])


def _left_out(paths: Sequence[str], kept: Sequence[str], folders: frozenset[str], *, detail: str) -> Iterator[Finding]:
    if len(kept) < len(paths):
        left = (path for path in paths if not _is_within(path, folders))
        yield from (Finding(subject=path, detail=detail, kind="left out") for path in left)


def _records(images: Sequence[str], matches: Matches, splits: ListedSplits) -> Iterator[FileRecord]:
    for image, split, file in zip(images, splits.in_order(), matches.in_order(), strict=True):
        yield FileRecord(image, split, labels_file=file)
