"""Export without annotations: images alone."""

from collections.abc import Iterator
from typing import ClassVar

from workers.formats.exporter import ExportedImage, Member, Order
from workers.formats.split_lists import SPLIT_NAMES


class PlainExporter:
    """No annotations."""

    displayed: ClassVar = False

    def __init__(self, order: Order) -> None:
        self._losses = order.losses

    def add(self, image: ExportedImage) -> Iterator[Member]:
        """Tell what is lost, which is all."""
        if image.annotations is not None:
            detail = f"Its {len(image.annotations)} annotations are left out."
            self._losses.add(image.subject(), detail, kind="annotations of images")
        if image.attributes:
            self._losses.add(image.subject(), "Its attributes are left out.", kind="attributes of images")
        if image.split in SPLIT_NAMES:
            self._losses.add(image.subject(), f"It is for {image.split}.", kind="splits of images")
        yield from ()

    def finish(self) -> Iterator[Member]:
        """Yield nothing."""
        yield from ()
