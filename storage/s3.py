"""Blobs behind the S3 interface: ``<prefix>/<last two hex>/<64 hex>``, compared with their name when read."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from urllib3 import BaseHTTPResponse

from schemas.blobs import BlobRef
from schemas.errors import Invalid, Unavailable
from schemas.schema import Digest
from storage.blob_files import PIECE_BYTES
from storage.blob_writer import raise_first
from storage.metrics import READ
from storage.ports import Source, StoredBlob
from storage.s3_client import connect, read_address, s3_errors
from storage.s3_objects import Objects

R = TypeVar("R")

THREADS: Final = 32
LISTED_TOGETHER: Final = 1_000


@asynccontextmanager
async def open_blobs(
    url: str,
    *,
    access_key: str,
    secret_key: str,
    public_url: str = "",
    region: str = "us-east-1",
    threads: int = THREADS,
) -> AsyncIterator["S3Blobs"]:
    """Open the blobs of a bucket, ``http://host:port/bucket/prefix``, which is made when it is missing.

    Links lead to ``public_url``, if that is another way to the same bucket. As many calls as there are
    ``threads`` may be under way. Raise Invalid if a URL cannot be one; the server is asked for nothing yet.
    """

    def objects(address: str) -> Objects:
        where = read_address(address)
        keys = {"access_key": access_key, "secret_key": secret_key}
        return Objects(connect(where, **keys, region=region, connections=threads), where)

    pool = ThreadPoolExecutor(threads, thread_name_prefix="s3")
    try:
        yield S3Blobs(objects(url), objects(public_url or url), pool, at_once=threads)
    finally:
        await asyncio.to_thread(pool.shutdown, cancel_futures=True)


class S3Blobs:
    """Blobs as objects of a bucket; each call is one hop to a thread of its own pool."""

    def __init__(self, objects: Objects, public: Objects, threads: ThreadPoolExecutor, *, at_once: int) -> None:
        self._objects = objects
        self._at_once = at_once
        self._public = public
        self._threads = threads

    async def put(self, data: bytes, *, media_type: str = "application/octet-stream") -> BlobRef:
        """Keep some bytes durably."""
        return await self._keep(Source(data, None, media_type))

    async def put_file(
        self, path: Path, *, media_type: str = "application/octet-stream", digest: Digest | None = None
    ) -> BlobRef:
        """Keep the bytes of a file durably; raise Invalid if it cannot be read or has another digest."""
        return await self._keep(Source(path, digest, media_type))

    async def put_many(self, sources: Sequence[Source]) -> None:
        """Keep several contents durably; each thread sends some of them one after the other."""
        share = -(-len(sources) // self._at_once)
        parts = [sources[start : start + share] for start in range(0, len(sources), share or 1)]
        kept = await asyncio.gather(*(self._run(partial(self._objects.keep_all, part)) for part in parts))
        raise_first([answer for part in kept for answer in part])

    async def get(self, digest: Digest) -> bytes:
        """Return all bytes of a blob."""
        return await self._run(lambda: self._objects.read(digest))

    async def fetch(self, digest: Digest, to: Path) -> None:
        """Write a blob into a file."""
        await self._run(lambda: self._objects.fetch(digest, to))

    async def stream(self, digest: Digest, *, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes of a blob; the last piece of a whole one comes after the comparison with its name."""
        if start < 0 or (length is not None and length < 0):
            raise Invalid(f"There is no part of {length} bytes from {start}.", step="give sizes of 0 and more")
        size = await self.size(digest)
        end = size if length is None else min(size, start + length)
        if start == 0 and end == size:
            pieces = self._whole(digest)
        else:
            pieces = self._part(digest, start=start, length=max(0, end - start))
        async for piece in pieces:
            yield piece

    async def size(self, digest: Digest) -> int:
        """Return how many bytes a blob has."""
        found = await self._run(lambda: self._objects.stat(digest))
        return found.size or 0

    async def list(self) -> AsyncIterator[StoredBlob]:
        """Yield every blob; what is none is passed over."""
        listed = self._objects.listed()
        while some := await self._run(lambda: [*islice(listed, LISTED_TOGETHER)]):
            for found in some:
                digest = f"sha256:{Path(found.object_name or '').name}"
                if found.last_modified and self._is_name(found.object_name, digest):
                    yield StoredBlob(digest, found.size or 0, found.last_modified)

    async def remove(self, digest: Digest, *, unless_since: datetime | None = None) -> bool:
        """Forget a blob, unless it was put or refreshed since; between that look and the removal is one request."""
        return await self._run(lambda: self._objects.remove(digest, unless_since=unless_since))

    def link(self, digest: Digest, *, seconds: int, media_type: str) -> str:
        """Return a link that shows a blob as of a media type to whoever has it, for up to a week of seconds."""
        return self._public.link(digest, seconds=seconds, media_type=media_type)

    def _is_name(self, name: str | None, digest: Digest) -> bool:
        try:
            return name == self._objects.name(digest)
        except Invalid:
            return False

    async def _keep(self, source: Source) -> BlobRef:
        content = await self._run(lambda: self._objects.keep(source))
        return BlobRef(digest=content.digest, size=content.size, media_type=source.media_type)

    async def _run(self, work: Callable[[], R]) -> R:
        try:
            running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        except RuntimeError as error:
            raise Unavailable("The S3 client is closed.") from error
        return await running

    async def _whole(self, digest: Digest) -> AsyncIterator[bytes]:
        found, last = hashlib.sha256(), b""
        async for piece in self._pieces(digest, start=0, length=0):
            await self._run(lambda data=piece: found.update(data))  # type: ignore[misc]  # a default binds it
            if last:
                yield last
            last = piece
        self._objects.check(digest, found=f"sha256:{found.hexdigest()}")
        if last:
            yield last

    async def _part(self, digest: Digest, *, start: int, length: int) -> AsyncIterator[bytes]:
        if length:
            async for piece in self._pieces(digest, start=start, length=length):
                yield piece

    async def _pieces(self, digest: Digest, *, start: int, length: int) -> AsyncIterator[bytes]:
        response = await self._run(lambda: self._objects.open(digest, start=start, length=length))
        try:
            while piece := await self._run(lambda: _read(response, digest)):
                READ.inc(len(piece))
                yield piece
        finally:
            response.close()


def _read(response: BaseHTTPResponse, digest: Digest) -> bytes:
    with s3_errors(digest):
        return response.read(PIECE_BYTES)
