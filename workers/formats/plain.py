"""No annotations: images alone."""

from pathlib import Path

from schemas.errors import Invalid
from storage.datasets.rows import ImageRow
from workers.formats.format import FileRecord, Labels, Listing, Reading
from workers.formats.listing import folder_of, split_of


class Plain:
    """A folder of images, none of them annotated."""

    name = "none"
    looks_for = "images"

    def detect(self, listing: Listing) -> bool:
        """Return whether there is any image."""
        return bool(listing.images)

    def read(self, listing: Listing) -> Reading:
        """Return each image as not annotated."""
        records = (FileRecord(image, split_of(folder_of(image))) for image in listing.images)
        return Reading(len(listing.images), records)

    def parse(self, path: Path, *, name: str, image: ImageRow | None) -> Labels:  # noqa: ARG002 - the form of a format
        """Refuse: this format has no files of annotations."""
        message = f"{name} is no file of annotations in the format 'none'."
        raise Invalid(message)
