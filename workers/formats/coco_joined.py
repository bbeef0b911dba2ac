"""Images and the documents that list them, joined in a few bytes for each."""

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from schemas.errors import Fault
from schemas.reports import Finding
from workers.formats.coco_document import NOWHERE, CocoDocument
from workers.formats.coco_labels import CocoLabels
from workers.formats.format import FileRecord, Listing, Part, Reading
from workers.formats.listing import ImageNames, folder_of, split_of


def joined(listing: Listing, documents: Sequence[CocoDocument]) -> Reading:
    """Return each image with where the documents speak of it; one that none lists is not annotated."""
    names, total = ImageNames(listing.images), len(listing.images)
    document_of = np.full(total, NOWHERE, np.int16)
    faults: list[Fault] = []
    for number, document in enumerate(documents):
        image_of = document.find(names, total=total)
        twice = np.flatnonzero((image_of != NOWHERE) & (document_of != NOWHERE))
        for place in twice.tolist():
            before = documents[document_of[place]].name
            faults.append(Fault(f"{listing.images[place]} is listed in {before} as well", document.name))
        image_of[twice] = NOWHERE
        document_of[image_of != NOWHERE] = number
        faults.extend(document.faults)
    findings = chain(*(document.findings for document in documents), _unlisted(listing.images, document_of))
    records = _records(listing.images, documents, document_of)
    labels = CocoLabels({document.name: document.categories for document in documents})
    return Reading(total, records, findings, faults, parse_part=labels)


def _unlisted(images: Sequence[str], document_of: NDArray[np.int16]) -> Iterator[Finding]:
    if (document_of == NOWHERE).any():
        for place, image in enumerate(images):
            if document_of[place] == NOWHERE:
                yield Finding(subject=image, detail="No document lists it: it is not annotated.", kind="no entry")


def _records(
    images: Sequence[str], documents: Sequence[CocoDocument], document_of: NDArray[np.int16]
) -> Iterator[FileRecord]:
    splits = [split_of(document.name) for document in documents]
    parts: list[Iterator[tuple[int, Part]]] = [document.parts() for document in documents]
    for place, path in enumerate(images):
        split, number = split_of(folder_of(path)), int(document_of[place])
        if number == NOWHERE:
            yield FileRecord(path, split)
        else:
            # Each document gives its images in this order.
            _, part = next(parts[number])
            yield FileRecord(path, splits[number] or split, labels_file=documents[number].name, part=part)
