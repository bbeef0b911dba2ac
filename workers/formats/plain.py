"""No annotations: images alone."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from schemas.reports import Finding
from workers.formats.format import FileRecord, Listing, Reading
from workers.formats.listing import folder_of, split_of

ANNOTATIONS: Final = frozenset({".txt", ".xml", ".json", ".jsonl", ".csv", ".tsv", ".yaml", ".yml"})


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


def not_read(listing: Listing) -> Iterator[Finding]:
    """Yield the files that may be annotations, for an import that found them in no format."""
    for path in listing.others:
        if PurePosixPath(path).suffix.lower() in ANNOTATIONS:
            yield Finding(subject=path, detail="It belongs to no format that was recognized.", kind="file not read")
