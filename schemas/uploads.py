"""Uploads: files sent ahead of the task that uses them."""

from typing import ClassVar, Final

from pydantic import NonNegativeInt

from schemas.blobs import BlobRef
from schemas.schema import Document, Id, Instant, derived_id

NAME_LETTERS: Final = 255


class Upload(Document):
    """A file that a task may name; it is kept for a while after it was sent."""

    KIND: ClassVar[str] = "upload"
    INDEXED: ClassVar[tuple[str, ...]] = ("created_at", "created_by")

    id: Id
    name: str
    blob: BlobRef
    created_by: str
    created_at: Instant


class PartialUpload(Document):
    """A file that is being sent in as many requests as it takes; once it is whole, it is an upload of the same id.

    How much of it is there is told by its parts alone, so that any process can take the next one.
    """

    KIND: ClassVar[str] = "partial_upload"
    INDEXED: ClassVar[tuple[str, ...]] = ("expires_at",)

    id: Id
    name: str
    metadata: str = ""
    """What its sender said of it, as it was sent."""
    length: NonNegativeInt | None = None
    """How many bytes it will have; None while its sender does not know that."""
    owner: Id
    """The key that may go on with it."""
    fingerprint: str = ""
    """The digest of the request that an ``Idempotency-Key`` stands for."""
    created_by: str
    created_at: Instant
    expires_at: Instant


class UploadPart(Document):
    """Some bytes of a partial upload; its id follows from where they start, so that nothing starts there twice."""

    KIND: ClassVar[str] = "upload_part"
    INDEXED: ClassVar[tuple[str, ...]] = ("upload", "start", "expires_at")

    id: Id
    upload: Id
    number: NonNegativeInt
    start: NonNegativeInt
    blob: BlobRef
    expires_at: Instant

    @property
    def end(self) -> int:
        """Where the next part starts."""
        return self.start + self.blob.size

    @classmethod
    def after(cls, last: "UploadPart | None", blob: BlobRef, *, upload: PartialUpload) -> "UploadPart":
        """Return the part of an upload that begins where the last one ends."""
        start = 0 if last is None else last.end
        return cls(
            id=derived_id("upload part", upload.id, start),
            upload=upload.id,
            number=0 if last is None else last.number + 1,
            start=start,
            blob=blob,
            expires_at=upload.expires_at,
        )
