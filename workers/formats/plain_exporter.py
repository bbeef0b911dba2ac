"""Export without annotations: images alone."""

from collections.abc import Iterator
from typing import ClassVar

from schemas.counts import counted
from workers.formats.exporter import ExportedImage, Member, Order
from workers.formats.losses import tell_of_image


class PlainExporter:
    """No annotations."""

    displayed: ClassVar = False

    def __init__(self, order: Order) -> None:
        self._losses = order.losses

    def add(self, image: ExportedImage) -> Iterator[Member]:
        """Tell what is lost, which is all."""
        if image.annotations is not None:
            detail = f"Left out: {counted(len(image.annotations), 'annotation')}."
            self._losses.add(image.subject(), detail, kind="annotations of images")
        tell_of_image(image, self._losses, attributes=False, splits=False)
        yield from ()

    def finish(self) -> Iterator[Member]:
        """Yield nothing."""
        yield from ()
