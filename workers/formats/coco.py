"""COCO: JSON documents that list images, categories and annotations."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from schemas.errors import Fault, Invalid
from schemas.reports import Finding
from schemas.splits import Split
from workers.formats.coco_document import CocoDocument
from workers.formats.format import FileRecord, Labels, Listing, Reading
from workers.formats.listing import ImageNames, base_name, folder_of, split_of

PEEK_BYTES: Final = 1 << 16
KEYS: Final = ("images", "annotations", "categories")


class _Entry(NamedTuple):
    labels: Labels
    split: Split | None
    document: str


class Coco:
    """One JSON document, or several for several sets of images."""

    name = "coco"
    looks_for = "JSON with images, categories and annotations, such as annotations/instances_train.json"

    def detect(self, listing: Listing) -> bool:
        """Return whether there is a JSON file that looks like such a document."""
        return bool(_documents(listing))

    def read(self, listing: Listing) -> Reading:
        """Return each image with what the documents say of it; one that none lists is not annotated.

        Every document is checked whole, and every fault named with its JSON path.
        """
        findings: list[Finding] = []
        faults: list[Fault] = []
        names = ImageNames(listing.images)
        entries: dict[str, _Entry] = {}
        for name in _documents(listing):
            document = CocoDocument(_loaded(listing.folder / name, name), name=name, faults=faults, findings=findings)
            for image, labels in document.labels(names):
                before = entries.setdefault(image, _Entry(labels, split_of(name) or split_of(folder_of(image)), name))
                if before.labels is not labels:
                    faults.append(Fault(f"{image} is listed in {before.document} as well", name))
        findings.extend(
            Finding(subject=image, detail="No document lists it: it is not annotated.", kind="no entry")
            for image in listing.images
            if image not in entries
        )
        return Reading(len(listing.images), _records(listing.images, entries), findings, faults)

    def parse(self, path: Path, *, name: str) -> Labels:  # noqa: ARG002 - the form of a format
        """Refuse: this format has no files about single images."""
        message = f"{name} is not about a single image."
        raise Invalid(message)


def _documents(listing: Listing) -> list[str]:
    """Return the names of the files that look like COCO documents; captions have no objects and are not meant."""
    found = [path for path in listing.others if path.lower().endswith(".json") and _looks_right(listing.folder / path)]
    return [path for path in found if not base_name(path).startswith("captions_")] or found


def _looks_right(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(PEEK_BYTES)
        file.seek(max(0, path.stat().st_size - PEEK_BYTES))
        ends = head + file.read()
    return any(f'"{key}"'.encode() in ends for key in KEYS)


def _loaded(path: Path, name: str) -> dict[str, Any]:
    try:
        document = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        fault = Fault(f"not usable JSON: {error.msg}", f"{name}:{error.lineno}")
        message = f"{name}, line {error.lineno}, column {error.colno}: {fault.detail}."
        raise Invalid(message, step="Correct or remove the file.", faults=[fault]) from error
    if not isinstance(document, dict):
        message = f"{name} is a list, not a document with {', '.join(KEYS)}."
        raise Invalid(message, step="Give the whole document; lists of results alone cannot be imported.")
    return document


def _records(images: Sequence[str], entries: Mapping[str, _Entry]) -> Iterator[FileRecord]:
    for image in images:
        entry = entries.get(image)
        if entry is None:
            yield FileRecord(image, split_of(folder_of(image)))
        else:
            yield FileRecord(image, entry.split, entry.labels)
