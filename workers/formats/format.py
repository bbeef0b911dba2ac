"""A format of annotations: how files become rows, and rows become files."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import orjson

from schemas.annotations import LayerName
from schemas.errors import Fault
from schemas.manifests import Predictions
from schemas.reports import Finding
from schemas.splits import Split
from storage.datasets.rows import AnnotationRow, ImageRow, attributes_text

ID: Final = re.compile("[0-9a-f]{32}")
IMAGE_MISSING: Final = "image missing"
"""The kind of a finding about annotations of an image that is not there."""


def id_of(text: object) -> bytes | None:
    """Return an annotation id that we wrote ourselves; raise ValueError for what is none, None for None."""
    if text is None:
        return None
    if not isinstance(text, str) or not ID.fullmatch(text):
        message = "is no annotation id, which has 32 lower-case hex digits"
        raise ValueError(message)
    return bytes.fromhex(text)


class Labels(NamedTuple):
    """What a source says of one image; without annotations it is annotated as empty."""

    annotations: tuple[AnnotationRow, ...] = ()
    """Those of the layer that is imported."""
    attributes: str = ""
    """Attributes of the whole image, as canonical JSON text."""
    size: tuple[int, int] | None = None
    """The width and height that the source states; they tell in which frame its coordinates are."""
    dropped: tuple[str, ...] = ()
    """What was said of the image and cannot be kept."""
    displayed: bool = False
    """Whether coordinates are those of the picture as displayed, whatever size is stated."""
    annotated: bool = True
    """False: nothing is said for the layer that is imported, so that it is not annotated there."""
    findings: tuple[Finding, ...] = ()
    """What is worth saying of it otherwise."""
    layers: Mapping[LayerName, tuple[AnnotationRow, ...]] = {}
    """What is said for other layers, such as predictions; an empty one has found nothing."""


def with_layers(labels: Labels | None, layers: Mapping[LayerName, Labels]) -> Labels:
    """Return what is said of an image with what is said for other layers.

    Attributes of the whole image that several give are the first one's.
    """
    found = labels or Labels(annotated=False)
    for layer, other in layers.items():
        found = found._replace(
            attributes=_joined_attributes(found.attributes, other.attributes),
            size=found.size or other.size,
            dropped=(*found.dropped, *other.dropped),
            findings=(*found.findings, *other.findings),
            layers={**found.layers, layer: other.annotations, **other.layers},
        )
    return found


def _joined_attributes(first: str, second: str) -> str:
    if not first or not second:
        return first or second
    return attributes_text({**orjson.loads(second), **orjson.loads(first)})


class Part(NamedTuple):
    """One element of a list in a document: its position, and the bytes at which it starts and ends."""

    position: int
    start: int
    end: int
    where: str = ""
    """How findings name it, after the name of its file; its position in a list of the document, if nothing is said."""
    more: bytes = b""
    """The position, start and end of further elements of another list, eight bytes each, little-endian."""


class FileRecord(NamedTuple):
    """One image of a source; paths are relative to its folder, with ``/``."""

    image: str
    split: Split | None = None
    labels: Labels | None = None
    """None, while there is no ``labels_file`` either: not annotated."""
    labels_file: str | None = None
    """A file about this image alone, for ``Reading.parse`` to read where there is time: in the process pool."""
    part: Part | None = None
    """What of that file is about this image, where it is about others, too: then ``Reading.parse_part`` reads it."""
    faults: tuple[Fault, ...] = ()
    """What is wrong with its labels."""
    layer_files: Mapping[LayerName, tuple[str, Part | None]] = {}
    """What there is for other layers: a file, and the part of it that is about this image where it is about others."""


class Parse(Protocol):
    """Reads a ``labels_file`` in another process: a function, or a value that can be called, that is sent there."""

    def __call__(self, path: Path, *, name: str, image: ImageRow | None) -> Labels:
        """Return what a file says; raise Invalid with a fault for each thing that is wrong in it.

        ``image`` is None where its file cannot be used, or only faults are looked for: what is returned is not kept.
        """


class ParsePart(Protocol):
    """Reads a part of a ``labels_file``, likewise."""

    def __call__(self, path: Path, *, name: str, image: ImageRow | None, part: Part) -> Labels:
        """Return what a part of a file says; raise Invalid as above."""


class Reading(NamedTuple):
    """What a folder holds: its records in a fixed order, and what is worth saying of the rest."""

    total: int
    records: Iterable[FileRecord]
    findings: Iterable[Finding] = ()
    faults: Sequence[Fault] = ()
    """What makes the source unfit; records are still there, so that all that is wrong can be told at once."""
    parse: Parse | None = None
    """Reads the files of labels, where records have such."""
    parse_part: ParsePart | None = None
    taken_for: str = ""
    """The variant of the format, where it has several."""
    predictions: Mapping[LayerName, Predictions] = {}
    """Where the layers of predictions come from, beside the layer that is imported."""


class Listing(NamedTuple):
    """The files of a folder, as relative paths with ``/`` in a fixed order."""

    folder: Path
    images: Sequence[str]
    others: Sequence[str]
    links: Sequence[str] = ()
    """Links that lead out of the folder; they are not followed."""
    scratch: Path | None = None
    """Where temporary files may lie; None: where the system has them."""
    no_files: Sequence[str] = ()
    """What is no file, folder or link: pipes, sockets, devices; they are not read."""


class Format(Protocol):
    """One way to lay out images and annotations in a folder."""

    name: str
    looks_for: str
    """What a folder of this format has, for the message when nothing fits."""

    def detect(self, listing: Listing) -> bool:
        """Return whether a folder looks like this format."""

    def read(self, listing: Listing) -> Reading:
        """Return what a folder holds; raise Invalid where it cannot be read at all."""
