"""Formats with one document about many images, or several: each says of an image what it says when that one comes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import nlargest
from itertools import chain
from pathlib import Path
from typing import Final, Protocol, TypeVar

from schemas.errors import Fault
from schemas.reports import Finding
from workers.formats.format import FileRecord, Listing, Reading
from workers.formats.listing import ImageNames, folder_of, split_of

LOOKED_AT: Final = 1_000

P = TypeVar("P")
"""Where a document speaks of an image, in a few bytes."""


class Document(Protocol[P]):
    """One document; ``found`` is asked for before all else."""

    name: str
    faults: list[Fault]
    findings: list[Finding]

    def found(self, names: ImageNames) -> Iterator[tuple[str, P]]:
        """Yield each image that it speaks of and that is there; note what it speaks of that is not."""

    def record(self, image: str, place: P) -> FileRecord:
        """Return what is said of an image, or where that is said; without a split if none is named."""


def documents_in(listing: Listing, suffix: str, looks_right: Callable[[Path], bool]) -> list[str]:
    """Return those of the candidates that look like documents."""
    return [path for path in candidates_in(listing, suffix) if looks_right(listing.folder / path)]


def candidates_in(listing: Listing, suffix: str) -> list[str]:
    """Return the files with a suffix, in their order; of very many of them the largest.

    A folder with thousands of files has one for each image, and what is about all of them is larger.
    """
    paths = [path for path in listing.others if path.lower().endswith(suffix)]
    if len(paths) > LOOKED_AT:
        paths = sorted(nlargest(LOOKED_AT, paths, key=lambda path: (listing.folder / path).stat().st_size))
    return paths


def read_documents(listing: Listing, documents: Sequence[Document[P]]) -> Reading:
    """Return each image with what the documents say of it; one that none speaks of is not annotated."""
    names = ImageNames(listing.images)
    entries: dict[str, tuple[Document[P], P]] = {}
    faults: list[Fault] = []
    for document in documents:
        for path, place in document.found(names):
            before, _ = entries.setdefault(path, (document, place))
            if before is not document:
                faults.append(Fault(f"{path} is listed in {before.name} as well", document.name))
        faults.extend(document.faults)
    findings = chain(*(document.findings for document in documents), _unlisted(listing.images, entries))
    records = _records(listing.images, entries)
    return Reading(len(listing.images), records, findings, faults)


def _unlisted(images: Sequence[str], entries: Mapping[str, object]) -> Iterator[Finding]:
    for image in images:
        if image not in entries:
            yield Finding(subject=image, detail="No document lists it: it is not annotated.", kind="no entry")


def _records(images: Sequence[str], entries: Mapping[str, tuple[Document[P], P]]) -> Iterator[FileRecord]:
    for image in images:
        entry = entries.get(image)
        record = FileRecord(image) if entry is None else entry[0].record(image, entry[1])
        yield record if record.split is not None else record._replace(split=split_of(folder_of(image)))
