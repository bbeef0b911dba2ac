"""COCO: JSON documents that list images, categories and annotations."""

from pathlib import Path
from typing import Final

from workers.formats.coco_document import KEYS, CocoDocument
from workers.formats.datumaro import looks_like_datumaro
from workers.formats.documents import read_documents
from workers.formats.format import Listing, Reading
from workers.formats.label_studio import looks_like_label_studio
from workers.formats.listing import base_name

PEEK_BYTES: Final = 1 << 16


class Coco:
    """One JSON document, or several for several sets of images."""

    name = "coco"
    looks_for = "JSON with images, categories and annotations, such as annotations/instances_train.json"

    def detect(self, listing: Listing) -> bool:
        """Return whether there is a JSON file that looks like such a document."""
        return bool(_documents(listing))

    def read(self, listing: Listing) -> Reading:
        """Return each image with what the documents say of it; one that none lists is not annotated.

        Ids are compared and images looked for at once; annotations are read with their image, so that the largest
        document needs little memory. Every fault is named with its JSON path.
        """
        documents = [CocoDocument(listing.folder / name, name=name) for name in _documents(listing)]
        return read_documents(listing, documents)


def _documents(listing: Listing) -> list[str]:
    """Return the names of the files that look like COCO documents; captions have no objects and are not meant."""
    found = [path for path in listing.others if path.lower().endswith(".json") and _looks_right(listing.folder / path)]
    return [path for path in found if not base_name(path).startswith("captions_")] or found


def _looks_right(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(PEEK_BYTES)
        file.seek(max(0, path.stat().st_size - PEEK_BYTES))
        end = file.read()
    # Datumaro's have categories and annotations, too, and tasks have annotations.
    if looks_like_datumaro(start, end) or looks_like_label_studio(start):
        return False
    return any(f'"{key}"'.encode() in start + end for key in KEYS)
