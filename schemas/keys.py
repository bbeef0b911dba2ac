"""API keys: who calls, and what they may do."""

import hashlib
from enum import StrEnum
from typing import ClassVar

from schemas.schema import Digest, Document, Id, Instant


class Role(StrEnum):
    """What a key may do: everything, change data, or look."""

    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


class ApiKey(Document):
    """A key; only the digest of its secret is kept."""

    KIND: ClassVar[str] = "key"
    INDEXED: ClassVar[tuple[str, ...]] = ("secret", "name")
    UNIQUE: ClassVar[tuple[tuple[str, ...], ...]] = (("secret",),)

    id: Id
    name: str
    secret: Digest
    role: Role
    created_at: Instant
    expires_at: Instant | None = None


def secret_digest(secret: str) -> Digest:
    """Return what is kept of a secret: keys are long and random, so a plain hash cannot be reversed."""
    return f"sha256:{hashlib.sha256(secret.encode()).hexdigest()}"
