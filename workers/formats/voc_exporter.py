"""Export of Pascal VOC, as YMIR writes it."""

from collections.abc import Iterator
from typing import ClassVar

from workers.formats.exporter import ExportedImage, Member, Order
from workers.formats.losses import tell_of_image
from workers.formats.split_lists import SplitLists
from workers.formats.voc_writer import voc_image_losses, voc_losses, voc_xml


class VocExporter:
    """``annotations/<stem>.xml`` for each annotated image, and ImageSets/Main where there are splits."""

    displayed: ClassVar = False

    def __init__(self, order: Order) -> None:
        self._losses = order.losses
        self._splits = SplitLists(order)

    def add(self, image: ExportedImage) -> Iterator[Member]:
        """Yield the XML file of an image, none if it is not annotated."""
        self._splits.add(image.split, image.stem)
        if image.annotations is None:
            tell_of_image(image, self._losses, attributes=False, splits=True)
            return
        for kind, detail in voc_image_losses(image):
            self._losses.add(image.subject(), detail, kind=kind)
        for annotation in image.annotations:
            for kind, detail in voc_losses(annotation):
                self._losses.add(image.subject(annotation), detail, kind=kind)
        yield Member(f"annotations/{image.stem}.xml", [voc_xml(image)])

    def finish(self) -> Iterator[Member]:
        """Yield the lists of splits."""
        for name, spool in self._splits.lists():
            yield Member(f"ImageSets/Main/{name}.txt", spool.pieces())
