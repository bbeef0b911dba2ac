"""Ways to look at a home for blobs."""

import os
from typing import Final

from schemas.schema import Digest, digest_of
from storage.ports import Blobs

MISSING: Final = digest_of(b"nobody ever put this")
LARGE: Final = os.urandom(20 << 20)


async def names(blobs: Blobs) -> set[Digest]:
    """Return the digests of all blobs."""
    return {blob.digest async for blob in blobs.list()}


async def streamed(blobs: Blobs, digest: Digest, *, start: int = 0, length: int | None = None) -> bytes:
    """Return what was streamed, as one."""
    return b"".join([piece async for piece in blobs.stream(digest, start=start, length=length)])
