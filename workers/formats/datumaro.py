"""Datumaro: a JSON document for each subset, which lists items with their annotations."""

import re
from pathlib import Path
from typing import Final

from workers.formats.datumaro_document import DatumaroDocument, DatumaroItems
from workers.formats.documents import documents_in, read_documents
from workers.formats.format import Listing, Reading

PEEK_BYTES: Final = 1 << 16
_ITEMS: Final = re.compile(rb'"items"\s*:\s*\[')
_CATEGORIES: Final = re.compile(rb'"categories"\s*:\s*\{')


class Datumaro:
    """``annotations/<subset>.json`` and ``images/``, below a folder of the subset or not."""

    name = "datumaro"
    looks_for = "JSON with categories and items, such as annotations/default.json"

    def detect(self, listing: Listing) -> bool:
        """Return whether there is a JSON file that looks like such a document."""
        return bool(documents_in(listing, ".json", _looks_right))

    def read(self, listing: Listing) -> Reading:
        """Return each image with what the documents say of it; one that none lists is not annotated."""
        names = documents_in(listing, ".json", _looks_right)
        documents = [DatumaroDocument(listing.folder / name, name=name) for name in names]
        reading = read_documents(listing, documents)
        # Known once all is read.
        classes = {document.name: document.classes for document in documents}
        return reading._replace(parse_part=DatumaroItems(classes))


def looks_like_datumaro(start: bytes, end: bytes = b"") -> bool:
    """Return whether a JSON file, known by its start and end, is a document of this format."""
    if b'"dm_format_version"' in start:
        return True
    return bool(_CATEGORIES.search(start) and (_ITEMS.search(start) or _ITEMS.search(end)))


def _looks_right(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(PEEK_BYTES)
        file.seek(max(0, path.stat().st_size - PEEK_BYTES))
        return looks_like_datumaro(start, file.read())
