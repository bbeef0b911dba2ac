"""A blob: bytes under the name of their SHA-256."""

from pydantic import NonNegativeInt

from schemas.schema import Digest, Schema


class BlobRef(Schema):
    """Which bytes are meant, how many, and what they are."""

    digest: Digest
    size: NonNegativeInt
    media_type: str = "application/octet-stream"
