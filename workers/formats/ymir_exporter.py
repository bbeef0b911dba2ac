"""Export of YMIR's layout: ground truth and predictions beside each other, as VOC files or COCO documents."""

from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar

from storage.datasets.rows import AnnotationRow
from workers.formats.class_numbers import ClassNumbers
from workers.formats.coco_exporter import COCO_FILE
from workers.formats.coco_writer import CocoWriter, coco_losses
from workers.formats.exporter import ExportedImage, Member, Order
from workers.formats.label_studio_task import PREDICTIONS
from workers.formats.losses import tell_of_image
from workers.formats.split_lists import SplitLists
from workers.formats.voc_writer import voc_image_losses, voc_losses, voc_xml
from workers.formats.ymir_meta import META, meta_yaml

Losses = Callable[[AnnotationRow], Iterable[tuple[str, str]]]


class _Ymir:
    """What both kinds have: lists of the splits, and ``pred/meta.yaml``."""

    displayed: ClassVar = False

    def __init__(self, order: Order) -> None:
        self._order = order
        self._splits = SplitLists(order)

    def _take(self, image: ExportedImage, losses: Losses) -> None:
        self._splits.add(image.split, image.stem)
        if image.annotations is None and image.predictions is None:
            tell_of_image(image, self._order.losses, attributes=False, splits=True)
        for row in (*(image.annotations or ()), *(image.predictions or ())):
            for kind, detail in losses(row):
                self._order.losses.add(image.subject(row), detail, kind=kind)

    def _lists(self) -> Iterator[Member]:
        for name, spool in self._splits.lists():
            yield Member(f"ImageSets/Main/{name}.txt", spool.pieces())
        # Also where there are none: it tells the layout.
        yield Member(f"pred/{META}", [meta_yaml(*(self._order.predictions or (PREDICTIONS, None)))])


class YmirExporter(_Ymir):
    """``gt/<stem>.xml``, ``pred/<stem>.xml``: what YMIR takes for detection."""

    def add(self, image: ExportedImage) -> Iterator[Member]:
        """Yield the files of an image: one for each layer that says something of it."""
        self._take(image, voc_losses)
        for folder, annotations in (("gt", image.annotations), ("pred", image.predictions)):
            if annotations is not None:
                xml = voc_xml(image._replace(annotations=annotations))
                yield Member(f"{folder}/{image.stem}.xml", [xml])
        if image.annotations is not None or image.predictions is not None:
            for kind, detail in voc_image_losses(image):
                self._order.losses.add(image.subject(), detail, kind=kind)

    def finish(self) -> Iterator[Member]:
        """Yield what is about all of them."""
        yield from self._lists()


class YmirCocoExporter(_Ymir):
    """``gt/coco-annotations.json``, ``pred/coco-annotations.json``: what YMIR takes for segmentation."""

    def __init__(self, order: Order) -> None:
        super().__init__(order)
        classes = ClassNumbers(order.classes, first=1)
        self._writers = {
            folder: CocoWriter(order.spool(f"images-{folder}"), order.spool(f"annotations-{folder}"), classes=classes)
            for folder in ("gt", "pred")
        }

    def add(self, image: ExportedImage) -> Iterator[Member]:
        """Take an image."""
        self._take(image, coco_losses)
        for folder, annotations in (("gt", image.annotations), ("pred", image.predictions)):
            if annotations is not None:
                self._writers[folder].add(image._replace(annotations=annotations))
        yield from ()

    def finish(self) -> Iterator[Member]:
        """Yield the documents, and what is about all of them."""
        yield Member(f"gt/{COCO_FILE}", self._writers["gt"].pieces())
        if self._order.predictions is not None:
            yield Member(f"pred/{COCO_FILE}", self._writers["pred"].pieces())
        yield from self._lists()
