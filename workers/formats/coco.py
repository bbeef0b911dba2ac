"""COCO: JSON documents that list images, categories and annotations."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

from schemas.errors import Fault
from schemas.reports import Finding
from workers.formats.coco_document import KEYS, CocoDocument, ListedImage
from workers.formats.datumaro import looks_like_datumaro
from workers.formats.format import FileRecord, Listing, Reading
from workers.formats.label_studio import looks_like_label_studio
from workers.formats.listing import ImageNames, base_name, folder_of, split_of

PEEK_BYTES: Final = 1 << 16


class _Entry(NamedTuple):
    document: CocoDocument
    image: ListedImage


class Coco:
    """One JSON document, or several for several sets of images."""

    name = "coco"
    looks_for = "JSON with images, categories and annotations, such as annotations/instances_train.json"

    def detect(self, listing: Listing) -> bool:
        """Return whether there is a JSON file that looks like such a document."""
        return bool(_documents(listing))

    def read(self, listing: Listing) -> Reading:
        """Return each image with what the documents say of it; one that none lists is not annotated.

        Ids are compared and images looked for at once; annotations are read with their image, so that the largest
        document needs little memory. Every fault is named with its JSON path.
        """
        documents = [CocoDocument(listing.folder / name, name=name) for name in _documents(listing)]
        names = ImageNames(listing.images)
        entries: dict[str, _Entry] = {}
        faults: list[Fault] = []
        for document in documents:
            for path, image in document.found(names):
                before = entries.setdefault(path, _Entry(document, image)).document
                if before is not document:
                    faults.append(Fault(f"{path} is listed in {before.name} as well", document.name))
            faults.extend(document.faults)
        findings = chain(*(document.findings for document in documents), _unlisted(listing.images, entries))
        return Reading(len(listing.images), _records(listing.images, entries), findings, faults)


def _documents(listing: Listing) -> list[str]:
    """Return the names of the files that look like COCO documents; captions have no objects and are not meant."""
    found = [path for path in listing.others if path.lower().endswith(".json") and _looks_right(listing.folder / path)]
    return [path for path in found if not base_name(path).startswith("captions_")] or found


def _looks_right(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(PEEK_BYTES)
        file.seek(max(0, path.stat().st_size - PEEK_BYTES))
        end = file.read()
    # Datumaro's have categories and annotations, too, and tasks have annotations.
    if looks_like_datumaro(start, end) or looks_like_label_studio(start):
        return False
    return any(f'"{key}"'.encode() in start + end for key in KEYS)


def _unlisted(images: Sequence[str], entries: Mapping[str, _Entry]) -> Iterator[Finding]:
    for image in images:
        if image not in entries:
            yield Finding(subject=image, detail="No document lists it: it is not annotated.", kind="no entry")


def _records(images: Sequence[str], entries: Mapping[str, _Entry]) -> Iterator[FileRecord]:
    for path in images:
        entry = entries.get(path)
        split = split_of(folder_of(path))
        if entry is None:
            yield FileRecord(path, split)
        else:
            labels, faults = entry.document.labels(entry.image)
            yield FileRecord(path, split_of(entry.document.name) or split, labels, faults=tuple(faults))
