"""Blobs in a folder: ``<last two hex>/<64 hex>``, written beside and renamed, compared with their name when read."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from schemas.blobs import BlobRef
from schemas.errors import Invalid
from schemas.schema import Digest
from storage.blob_files import (
    PIECE_BYTES,
    check,
    fetch,
    folder_errors,
    place,
    read,
    remove,
    remove_leftovers,
    stored_in,
)
from storage.blob_writer import BlobWriter, Content, raise_first
from storage.groups import Groups
from storage.metrics import READ
from storage.ports import Source, StoredBlob

R = TypeVar("R")

THREADS: Final = 4
# How many small blobs share the wait for the disk; each is an open file meanwhile.
TOGETHER: Final = 128


class FolderBlobs:
    """Blobs as read-only files of one folder.

    Small ones that are put at the same moment are written by one thread and share the wait for the
    disk, which is most of the time that one alone takes.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._writer = BlobWriter(root)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="blobs")
        self._small: Groups[Source, Content | None] = Groups(self._writer.keep_small, name="blobs", most=TOGETHER)

    async def put(self, data: bytes, *, media_type: str = "application/octet-stream") -> BlobRef:
        """Keep some bytes durably."""
        return await self._keep(Source(data, None, media_type))

    async def put_file(
        self, path: Path, *, media_type: str = "application/octet-stream", digest: Digest | None = None
    ) -> BlobRef:
        """Keep the bytes of a file durably; raise Invalid if it cannot be read or has another digest."""
        return await self._keep(Source(path, digest, media_type))

    async def put_many(self, sources: Sequence[Source]) -> None:
        """Keep several contents durably: as many as may be open at a time are written by one thread."""
        loop = asyncio.get_running_loop()
        groups = (sources[start : start + TOGETHER] for start in range(0, len(sources), TOGETHER))
        kept = (loop.run_in_executor(self._threads, self._writer.keep_all, group) for group in groups)
        raise_first([answer for group in await asyncio.gather(*kept) for answer in group])

    async def get(self, digest: Digest) -> bytes:
        """Return all bytes of a blob."""
        data = await self._run(digest, lambda path: read(path, digest))
        READ.inc(len(data))
        return data

    async def fetch(self, digest: Digest, to: Path) -> None:
        """Write a blob into a file."""

        def fetched(path: Path) -> int:
            fetch(path, digest, to)
            return to.stat().st_size

        READ.inc(await self._run(digest, fetched))

    async def stream(self, digest: Digest, *, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes of a blob; the last piece of a whole one comes after the comparison with its name."""
        if start < 0 or (length is not None and length < 0):
            raise Invalid(f"There is no part of {length} bytes from {start}.", step="give sizes of 0 and more")
        file = await self._run(digest, lambda path: path.open("rb"))
        with file:
            size = os.fstat(file.fileno()).st_size
            if start == 0 and (length is None or length >= size):
                pieces = self._whole(file, digest)
            else:
                pieces = self._part(file, digest, start, size if length is None else length)
            async for piece in pieces:
                yield piece

    async def size(self, digest: Digest) -> int:
        """Return how many bytes a blob has."""
        return await self._run(digest, lambda path: path.stat().st_size)

    async def list(self) -> AsyncIterator[StoredBlob]:
        """Yield every blob, and remove what was left behind by writes that never ended."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, remove_leftovers, self._root)
        for number in range(256):
            for blob in await loop.run_in_executor(self._threads, stored_in, self._root / f"{number:02x}"):
                yield blob

    async def remove(self, digest: Digest, *, unless_since: datetime | None = None) -> bool:
        """Forget a blob, unless it was put or refreshed since: nobody can do that in between."""
        return await self._run(digest, lambda path: remove(path, unless_since=unless_since))

    async def _keep(self, source: Source) -> BlobRef:
        content = await self._small.call(source)
        if content is None:
            loop = asyncio.get_running_loop()
            content = await loop.run_in_executor(self._threads, self._writer.keep_large, source)
        return BlobRef(digest=content.digest, size=content.size, media_type=source.media_type)

    async def _run(self, digest: Digest, work: Callable[[Path], R]) -> R:
        path = place(self._root, digest)

        def mapped() -> R:
            with folder_errors(digest):
                return work(path)

        return await asyncio.get_running_loop().run_in_executor(self._threads, mapped)

    async def _whole(self, file: BinaryIO, digest: Digest) -> AsyncIterator[bytes]:
        found, last = hashlib.sha256(), b""

        def piece(_: Path) -> bytes:
            data = file.read(PIECE_BYTES)
            READ.inc(len(data))
            found.update(data)
            return data

        while data := await self._run(digest, piece):
            if last:
                yield last
            last = data
        await self._run(digest, lambda path: check(path, digest, found=f"sha256:{found.hexdigest()}"))
        if last:
            yield last

    async def _part(self, file: BinaryIO, digest: Digest, start: int, length: int) -> AsyncIterator[bytes]:
        file.seek(start)
        end = start + length
        while data := await self._run(digest, lambda _: file.read(min(PIECE_BYTES, end - file.tell()))):
            READ.inc(len(data))
            yield data
