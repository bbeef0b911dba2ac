"""COCO: JSON documents that list images, categories and annotations, and lists of results."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

from schemas.errors import Fault, Invalid
from schemas.reports import Finding
from workers.formats.coco_document import KEYS, CocoDocument
from workers.formats.coco_joined import joined
from workers.formats.coco_places import Identity
from workers.formats.coco_results import CocoResults, by_numbers
from workers.formats.datumaro import looks_like_datumaro
from workers.formats.documents import candidates_in
from workers.formats.format import FileRecord, Labels, Listing, Reading, with_layers
from workers.formats.label_studio import looks_like_label_studio
from workers.formats.labelme import looks_like_labelme
from workers.formats.listing import split_of

PEEK_BYTES: Final = 1 << 16
LD_BYTES: Final = 200
# What has captions or panoptic segments has no objects.
_NO_OBJECTS: Final = re.compile(rb'"(segments_info|caption)"\s*:')
_RESULTS: Final = re.compile(rb'^\s*\[\s*\{[^{]*"(image_id|category_id)"\s*:')


class _Files(NamedTuple):
    documents: list[str]
    results: list[str]
    others: list[str]
    """Those without objects."""


class Coco:
    """One JSON document, or several for several sets of images; lists of results are layers beside them."""

    name = "coco"
    looks_for = "JSON with images, categories and annotations, such as annotations/instances_train.json"

    def detect(self, listing: Listing) -> bool:
        """Return whether there is a JSON file that looks like such a document, or like results."""
        return any(_files(listing))

    def read(self, listing: Listing) -> Reading:
        """Return each image with what the documents say of it; one that none lists is not annotated.

        Ids are compared and images looked for at once; annotations are read with their image, so that the largest
        document needs little memory. Every fault is named with its JSON path. Results are a layer named after their
        file; where there is no document, they are what is imported, under the numbers of their classes.
        """
        files = _files(listing)
        if not files.documents and not files.results:
            message = f"{', '.join(files.others[:3])}: captions and panoptic segments are no annotations of objects."
            raise Invalid(message, step="Convert them to COCO's instances, or import with the format `none`.")
        documents = [
            CocoDocument(listing.folder / name, name=name, scratch=listing.scratch) for name in files.documents
        ]
        reading = joined(listing, documents)
        results = _Results(listing, files.results, documents)
        return reading._replace(
            records=results.added_to(reading.records),
            findings=chain(reading.findings if documents else (), results.findings, _left_out(files.others)),
            faults=[*reading.faults, *results.faults],
        )


def _files(listing: Listing) -> _Files:
    """Return the names of the files that look like those of COCO."""
    files = _Files([], [], [])
    for path in candidates_in(listing, ".json"):
        start, end = _peeked(listing.folder / path)
        # Datumaro's have categories and annotations, too, tasks have annotations, and a class may be named like a key.
        # JSON-LD, such as Croissant's, describes data and is none.
        if b'"@context"' in start[:LD_BYTES]:
            continue
        if looks_like_datumaro(start, end) or looks_like_label_studio(start) or looks_like_labelme(start + end):
            continue
        if _RESULTS.match(start):
            (files.others if _NO_OBJECTS.search(start) else files.results).append(path)
        elif any(f'"{key}"'.encode() in start + end for key in KEYS):
            (files.others if _NO_OBJECTS.search(start + end) else files.documents).append(path)
    return files


def _peeked(path: Path) -> tuple[bytes, bytes]:
    with path.open("rb") as file:
        start = file.read(PEEK_BYTES)
        file.seek(max(0, path.stat().st_size - PEEK_BYTES))
        return start, file.read()


class _Results:
    """The results of some files, as layers beside what documents say, or instead of that."""

    def __init__(self, listing: Listing, files: Sequence[str], documents: Sequence[CocoDocument]) -> None:
        self.findings: list[Finding] = []
        self.faults: list[Fault] = []
        self._beside = bool(documents)
        self._of: dict[str, list[tuple[CocoResults, Identity]]] = {}
        for file in files:
            images: dict[Identity, str] = {} if documents else by_numbers(listing.images)
            names: dict[Identity, str] = {}
            of_split = [document for document in documents if split_of(document.name) is split_of(file)]
            for document in of_split or documents:
                names |= document.categories
                images |= document.paths(listing.images)
            self._take(CocoResults(listing.folder / file, name=file, categories=names), images)

    def added_to(self, records: Iterable[FileRecord]) -> Iterator[FileRecord]:
        """Yield records with the results of their images."""
        for record in records:
            labels, faults = record.labels, [*record.faults]
            for results, identity in self._of.get(record.image, ()):
                found, wrong = results.labels(identity)
                faults += wrong
                labels = with_layers(labels, {results.layer: found}) if self._beside else _joined(labels, found)
            yield record._replace(labels=labels, faults=tuple(faults))

    def _take(self, results: CocoResults, images: Mapping[Identity, str]) -> None:
        for identity in results.identities():
            path = images.get(identity)
            if path is None:
                results.missing(identity)
            else:
                self._of.setdefault(path, []).append((results, identity))
        self.findings += results.findings
        self.faults += results.faults
        if self._beside:
            detail = f"The results are kept as the layer {results.layer}."
            self.findings.append(Finding(subject=results.name, detail=detail, kind="predictions"))


def _joined(labels: Labels | None, found: Labels) -> Labels:
    if labels is None:
        return found
    return labels._replace(annotations=labels.annotations + found.annotations, dropped=labels.dropped + found.dropped)


def _left_out(files: Sequence[str]) -> Iterator[Finding]:
    for file in files:
        yield Finding(subject=file, detail="Captions and panoptic segments are left out.", kind="left out")
