"""CVAT XML 1.1 for images: documents that list images with their shapes."""

import re
from pathlib import Path
from typing import Final

from workers.formats.cvat_document import CvatDocument, CvatImages
from workers.formats.documents import documents_in, read_documents
from workers.formats.format import Listing, Reading

PEEK_BYTES: Final = 1 << 12
_ROOT: Final = re.compile(rb"<annotations[\s/>]")


class Cvat:
    """``annotations.xml``, or several such files, and ``images/``."""

    name = "cvat"
    looks_for = "XML with <annotations>, such as annotations.xml"

    def detect(self, listing: Listing) -> bool:
        """Return whether there is an XML file whose outermost element is that of CVAT's."""
        return bool(documents_in(listing, ".xml", _looks_right))

    def read(self, listing: Listing) -> Reading:
        """Return each image with what the documents say of it; one that none lists is not annotated.

        Raise Invalid for the schema of videos, whose shapes belong to tracks and not to images.
        """
        names = documents_in(listing, ".xml", _looks_right)
        documents = [CvatDocument(listing.folder / name, name=name) for name in names]
        reading = read_documents(listing, documents)
        # Known once all is read.
        types = {document.name: document.types for document in documents}
        return reading._replace(parse_part=CvatImages(types))


def _looks_right(path: Path) -> bool:
    with path.open("rb") as file:
        # Without the zero bytes of UTF-16.
        return bool(_ROOT.search(file.read(PEEK_BYTES).replace(b"\0", b"")))
