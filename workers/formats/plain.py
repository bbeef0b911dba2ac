"""No annotations: images alone."""

from workers.formats.format import FileRecord, Listing, Reading
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
