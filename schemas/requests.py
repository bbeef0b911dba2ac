"""Requests as they are remembered, so that a repeated one gets the same answer."""

from typing import ClassVar

from schemas.schema import Document, Instant


class RememberedRequest(Document):
    """One request with an ``Idempotency-Key``; without a status it is still in progress."""

    KIND: ClassVar[str] = "request"
    INDEXED: ClassVar[tuple[str, ...]] = ("created_at",)

    fingerprint: str
    status: int | None = None
    body: str = ""
    location: str | None = None
    created_at: Instant
