"""Uploads: files sent ahead of the task that uses them."""

from typing import ClassVar

from schemas.blobs import BlobRef
from schemas.schema import Document, Id, Instant


class Upload(Document):
    """A file that a task may name; it is kept for a while after it was sent."""

    KIND: ClassVar[str] = "upload"
    INDEXED: ClassVar[tuple[str, ...]] = ("created_at", "created_by")

    id: Id
    name: str
    blob: BlobRef
    created_by: str
    created_at: Instant
