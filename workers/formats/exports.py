"""What an export has beside the images: the files of each format, and what they cannot say."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from schemas.annotations import LayerName
from schemas.errors import Invalid
from schemas.splits import Split
from storage.datasets.rows import AssetRow
from workers.formats.coco_writer import COCO_FILE, CocoWriter, coco_losses
from workers.formats.listing import stem_of
from workers.formats.voc_writer import voc_losses, voc_xml

SPLIT_NAMES: Final = {Split.TRAINING: "train", Split.VALIDATION: "val", Split.TEST: "test"}


class Member(NamedTuple):
    """One file of an export, as the pieces of its content."""

    name: str
    pieces: Iterable[bytes]


class Exporter(Protocol):
    """Writes the annotations of a version; it is given each image once."""

    losses: Counter[str]
    """How many annotations or images lose something, by what they lose."""

    def add(self, row: AssetRow, *, file_name: str) -> Iterator[Member]:
        """Yield the files about one image."""

    def finish(self) -> Iterator[Member]:
        """Yield the files about all of them."""


class VocExporter:
    """``annotations/<stem>.xml`` for each annotated image, and ImageSets/Main where there are splits."""

    def __init__(self, layer: LayerName) -> None:
        self.losses: Counter[str] = Counter()
        self._layer = layer
        self._listed: dict[Split, list[str]] = {split: [] for split in SPLIT_NAMES}

    def add(self, row: AssetRow, *, file_name: str) -> Iterator[Member]:
        """Yield the XML file of an image, none if it is not annotated."""
        if row.split in self._listed:
            self._listed[row.split].append(f"{stem_of(file_name)}\n")
        annotations = row.layers.get(self._layer)
        if annotations is None:
            return
        for annotation in annotations:
            self.losses.update(voc_losses(annotation))
        self.losses["annotation ids"] += len(annotations)
        xml = voc_xml(row, layer=self._layer, file_name=file_name)
        yield Member(f"annotations/{stem_of(file_name)}.xml", [xml])

    def finish(self) -> Iterator[Member]:
        """Yield the lists of splits."""
        for split, stems in self._listed.items():
            if stems:
                yield Member(f"ImageSets/Main/{SPLIT_NAMES[split]}.txt", ["".join(stems).encode()])


class CocoExporter:
    """``annotations/coco-annotations.json``, or ``instances_<split>.json`` for the images of a split."""

    def __init__(self, layer: LayerName, *, classes: Sequence[str], closed: bool, scratch: Path) -> None:
        self.losses: Counter[str] = Counter()
        self._layer = layer
        self._classes = classes
        self._closed = closed
        self._scratch = scratch
        self._writers: dict[Split, CocoWriter] = {}

    def add(self, row: AssetRow, *, file_name: str) -> Iterator[Member]:
        """Note one image; it is listed if it is annotated."""
        annotations = row.layers.get(self._layer)
        if annotations is None:
            self.losses["images that are not annotated, and so not listed"] += 1
        else:
            for annotation in annotations:
                self.losses.update(coco_losses(annotation))
            self.losses["annotation ids"] += len(annotations)
            self._writer(row.split).add(row, file_name=file_name)
        yield from ()

    def finish(self) -> Iterator[Member]:
        """Yield the documents."""
        if not self._writers:
            self._writer(Split.NONE)
        for split, writer in sorted(self._writers.items()):
            yield Member(f"annotations/{_document(split)}", writer.pieces())
            writer.close()

    def _writer(self, split: Split) -> CocoWriter:
        if split not in self._writers:
            files = [(self._scratch / f"{kind}-{split}").open("xb+") for kind in ("images", "annotations")]
            self._writers[split] = CocoWriter(*files, layer=self._layer, classes=self._classes, closed=self._closed)
        return self._writers[split]


class PlainExporter:
    """No annotations."""

    def __init__(self, layer: LayerName) -> None:
        self.losses: Counter[str] = Counter()
        self._layer = layer

    def add(self, row: AssetRow, *, file_name: str) -> Iterator[Member]:  # noqa: ARG002 - the form of an exporter
        """Count what is lost."""
        self.losses["annotations"] += len(row.layers.get(self._layer, ()))
        yield from ()

    def finish(self) -> Iterator[Member]:
        """Yield nothing."""
        yield from ()


def exporter(format: str, *, layer: LayerName, classes: Sequence[str], closed: bool, scratch: Path) -> Exporter:
    """Return what writes a format; raise Invalid listing those there are.

    ``classes`` are COCO's categories in order; unless they are ``closed``, classes met later are added to them.
    """
    if format == "voc":
        return VocExporter(layer)
    if format == "coco":
        return CocoExporter(layer, classes=classes, closed=closed, scratch=scratch)
    if format == "none":
        return PlainExporter(layer)
    message = f"There is no format {format!r} to export."
    raise Invalid(message, step="Use one of: coco, none, voc.")


def _document(split: Split) -> str:
    return f"instances_{SPLIT_NAMES[split]}.json" if split in SPLIT_NAMES else COCO_FILE
