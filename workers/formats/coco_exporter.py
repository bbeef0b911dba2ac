"""Export of COCO: a document for each split."""

from collections.abc import Iterator
from typing import ClassVar, Final

from schemas.splits import Split
from workers.formats.class_numbers import ClassNumbers
from workers.formats.coco_writer import CocoWriter, coco_losses
from workers.formats.exporter import ExportedImage, Member, Order
from workers.formats.losses import tell_of_image
from workers.formats.split_lists import SPLIT_NAMES

COCO_FILE: Final = "coco-annotations.json"


class CocoExporter:
    """``annotations/coco-annotations.json``, or ``instances_<split>.json`` for the images of a split."""

    displayed: ClassVar = False

    def __init__(self, order: Order) -> None:
        self._order = order
        self._classes = ClassNumbers(order.classes, first=1)
        self._writers: dict[Split, CocoWriter] = {}

    def add(self, image: ExportedImage) -> Iterator[Member]:
        """Take an image; one that is not annotated is not listed."""
        if image.annotations is None:
            tell_of_image(image, self._order.losses, attributes=False, splits=False)
        else:
            for annotation in image.annotations:
                for kind, detail in coco_losses(annotation):
                    self._order.losses.add(image.subject(annotation), detail, kind=kind)
            self._writer(image.split).add(image)
        yield from ()

    def finish(self) -> Iterator[Member]:
        """Yield the documents."""
        if not self._writers:
            self._writer(Split.NONE)
        for split, writer in sorted(self._writers.items()):
            yield Member(f"annotations/{_document(split)}", writer.pieces())

    def _writer(self, split: Split) -> CocoWriter:
        if split not in self._writers:
            spools = [self._order.spool(f"{kind}-{split}") for kind in ("images", "annotations")]
            self._writers[split] = CocoWriter(*spools, classes=self._classes)
        return self._writers[split]


def _document(split: Split) -> str:
    return f"instances_{SPLIT_NAMES[split]}.json" if split in SPLIT_NAMES else COCO_FILE
