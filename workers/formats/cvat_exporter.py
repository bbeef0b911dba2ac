"""Export of CVAT XML 1.1 for images: one document."""

from collections.abc import Iterator
from typing import ClassVar, Final

from schemas.splits import Split
from workers.formats.cvat_labels import CvatLabels
from workers.formats.cvat_writer import cvat_losses, image_xml
from workers.formats.exporter import ExportedImage, Member, Order
from workers.formats.losses import tell_of_image

FILE: Final = "annotations.xml"
SUBSETS: Final = {Split.TRAINING: "Train", Split.VALIDATION: "Validation", Split.TEST: "Test"}
DEFAULT: Final = "default"


class CvatExporter:
    """``annotations.xml``, of a project whose subsets are the splits.

    CVAT turns images as their EXIF says, so coordinates are those of the displayed picture.
    """

    displayed: ClassVar = True

    def __init__(self, order: Order) -> None:
        self._losses = order.losses
        self._labels = CvatLabels(order.classes)
        self._images = order.spool("images")
        self._splits: set[Split] = set()

    def add(self, image: ExportedImage) -> Iterator[Member]:
        """Take an image; one that is not annotated is not listed."""
        if image.annotations is None:
            tell_of_image(image, self._losses, attributes=False, splits=False)
            return
        for row in image.annotations:
            for kind, detail in cvat_losses(row, image):
                self._losses.add(image.subject(row), detail, kind=kind)
        self._splits.add(image.split)
        subset = SUBSETS.get(image.split, DEFAULT)
        number = self._images.written
        text = image_xml(image, number=number, subset=subset, labels=self._labels, losses=self._losses)
        self._images.write(text.encode())
        yield from ()

    def finish(self) -> Iterator[Member]:
        """Yield the document."""
        yield Member(FILE, self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        subsets = [SUBSETS.get(split, DEFAULT) for split in sorted(self._splits)]
        yield self._labels.head(images=self._images.written, subsets=subsets).encode()
        yield from self._images.pieces()
        yield b"</annotations>\n"
