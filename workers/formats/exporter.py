"""How a version is written in a format: what an exporter is given, and what it gives."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

import orjson
from pydantic import JsonValue

from schemas.annotations import ATTRIBUTES, LayerName
from schemas.datasets import Version
from schemas.manifests import Predictions
from schemas.splits import Split
from storage.datasets.rows import AnnotationRow, AssetRow, ImageRow
from workers.findings import Findings
from workers.formats.frames import stored_size, to_stored
from workers.formats.listing import stem_of
from workers.formats.spool import Spool


class Member(NamedTuple):
    """One file of an export, as the pieces of its content."""

    name: str
    pieces: Iterable[bytes]


class ExportedImage(NamedTuple):
    """One image as an exporter sees it: everything is in one frame, and no other needs to be thought of."""

    name: str
    """Its file under ``images/``; no two of an export have the same stem, in whatever case."""
    width: int
    height: int
    """Of the picture in the frame of its annotations."""
    split: Split
    annotations: tuple[AnnotationRow, ...] | None
    """Those of the exported layer; None: not annotated."""
    attributes: dict[str, JsonValue]
    """Those of the whole image."""
    row: ImageRow
    predictions: tuple[AnnotationRow, ...] | None = None
    """Those of the layer of predictions that is exported beside it, if there is one."""

    @property
    def stem(self) -> str:
        """Its file name without the suffix."""
        return stem_of(self.name)

    def subject(self, annotation: AnnotationRow | None = None) -> str:
        """Return the subject of a finding about it, or about one of its annotations."""
        if annotation is None or annotation.id is None:
            return self.name
        return f"{self.name} {annotation.id.hex()}"


def exported_image(
    asset_row: AssetRow,
    *,
    layer: LayerName,
    name: str,
    displayed: bool = False,
    predictions: LayerName | None = None,
) -> ExportedImage:
    """Return an image with its annotations of one layer, in the frame of the stored or, if asked, displayed picture."""
    image = asset_row.image
    annotations = asset_row.layers.get(layer)
    found = None if predictions is None else asset_row.layers.get(predictions)
    width, height = image.width, image.height
    if image.orientation != 1 and not displayed:
        width, height = stored_size(image)
        annotations, found = _stored(annotations, image), _stored(found, image)
    attributes = _attributes_of(asset_row)
    return ExportedImage(name, width, height, asset_row.split, annotations, attributes, image, found)


def _stored(rows: tuple[AnnotationRow, ...] | None, image: ImageRow) -> tuple[AnnotationRow, ...] | None:
    return None if rows is None else tuple(to_stored(row, image) for row in rows)


def attributes_of(row: AnnotationRow) -> dict[str, JsonValue]:
    """Return the attributes of an annotation as a new dictionary."""
    found: dict[str, JsonValue] = orjson.loads(row.attributes) if row.attributes else {}
    return found


@dataclass(frozen=True)
class Order:
    """What an export is to write, where it may keep what is not ready yet, and where it tells what is lost."""

    layer: LayerName
    classes: Sequence[str]
    """The classes in their order; those that are met and not among them come after."""
    scratch: Path
    losses: Findings
    """Told each thing that the format cannot hold: ``losses.add(image.subject(annotation), detail, kind=…)``."""
    predictions: tuple[LayerName, Predictions | None] | None = None
    """A layer of predictions that is written beside, and where it comes from."""
    images: bool = True
    """Whether the images themselves are exported, too."""
    version: Version | None = None
    """The version that is written, for a format that describes where it comes from."""
    parents: Sequence[Version] = ()
    """Those of its parents that are still there."""
    spools: list[Spool] = field(default_factory=list)
    """What was opened for this export; ``close`` closes it."""

    def spool(self, name: str) -> Spool:
        """Return a file that grows while images come; a format has each name once."""
        spool = Spool((self.scratch / f"spool-{name}").open("xb+"))
        self.spools.append(spool)
        return spool

    def close(self) -> None:
        """Close the files that were not read again, as when the export failed."""
        for spool in self.spools:
            spool.close()


class Exporter(Protocol):
    """Writes the annotations of a version; it is given each image once, and its memory does not grow with them."""

    displayed: ClassVar[bool]
    """Whether coordinates are those of the picture as displayed; else those of the picture as its file stores it."""

    def add(self, image: ExportedImage) -> Iterator[Member]:
        """Yield the files about one image; each is written before the next is asked for."""

    def finish(self) -> Iterator[Member]:
        """Yield the files about all of them."""


def _attributes_of(asset_row: AssetRow) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for row in asset_row.layers.get(ATTRIBUTES, ()):
        found |= attributes_of(row)
    return found
