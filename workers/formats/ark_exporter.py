"""Export of ark: a text file for each annotated image, index files and a list of classes."""

from collections.abc import Iterator
from typing import ClassVar, Final

from workers.formats.ark_writer import ark_losses, ark_text
from workers.formats.class_numbers import ClassNumbers
from workers.formats.exporter import ExportedImage, Member, Order
from workers.formats.losses import tell_of_image
from workers.formats.split_lists import SplitLists

INDEX: Final = "index.tsv"


class ArkExporter:
    """``annotations/<stem>.txt``, ``index.tsv`` and one for each split, and ``classes.txt``.

    A line of an index is an image and, if it is annotated, a tab and its file.
    """

    displayed: ClassVar = False

    def __init__(self, order: Order) -> None:
        self._losses = order.losses
        self._classes = ClassNumbers(order.classes, first=0)
        self._index = order.spool("index")
        self._splits = SplitLists(order)

    def add(self, image: ExportedImage) -> Iterator[Member]:
        """Yield the file of an image, none if it is not annotated."""
        name = f"annotations/{image.stem}.txt"
        line = f"images/{image.name}" + ("" if image.annotations is None else f"\t{name}")
        self._index.write(f"{line}\n".encode())
        self._splits.add(image.split, line)
        tell_of_image(image, self._losses, attributes=False, splits=True)
        if image.annotations is None:
            return
        for row in image.annotations:
            for kind, detail in ark_losses(row):
                self._losses.add(image.subject(row), detail, kind=kind)
        yield Member(name, [ark_text(image, classes=self._classes, whole=False)])

    def finish(self) -> Iterator[Member]:
        """Yield the index files and the list of classes."""
        yield Member(INDEX, self._index.pieces())
        for name, spool in self._splits.lists():
            yield Member(f"{name}-{INDEX}", spool.pieces())
        yield Member("classes.txt", ["".join(f"{name}\n" for name, _ in self._classes.items()).encode()])
