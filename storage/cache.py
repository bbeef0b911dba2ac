"""A bounded cache of blobs as local files, the least recently used going first."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from schemas.errors import Invalid, NotFound
from schemas.schema import Digest
from storage.blob_files import check, copy, folder_errors, place, stored_in
from storage.ports import Blobs

FETCHED_TOGETHER: Final = 16


class BlobCache:
    """Copies of blobs as read-only files ``<last two hex>/<64 hex>``, which others may hard-link.

    They are compared with their names when they are fetched, and those of an earlier process when they
    are first used. Files that are in use at the same time may exceed the limit; nothing else does.
    """

    def __init__(self, blobs: Blobs, folder: Path, limit_bytes: int) -> None:
        self._blobs = blobs
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._sizes: OrderedDict[Digest, int] = OrderedDict()
        self._bytes = 0
        self._unverified: set[Digest] = set()
        self._uses: Counter[Digest] = Counter()
        # One download or removal of a digest at a time: whoever comes second finds it done.
        self._locks: WeakValueDictionary[Digest, asyncio.Lock] = WeakValueDictionary()
        self._scanning = asyncio.Lock()
        self._is_scanned = False
        self._fetching = asyncio.Semaphore(FETCHED_TOGETHER)

    async def path(self, digest: Digest) -> Path:
        """Return the file of a blob; others may push it out of the cache unless it is in ``use``."""
        async with self.use([digest]) as (path,):
            return path

    @asynccontextmanager
    async def use(self, digests: Sequence[Digest]) -> AsyncIterator[list[Path]]:
        """Hold the files of some blobs, in their order; until the end none of them is removed.

        Raise NotFound, Invalid or Unavailable as the blobs do.
        """
        paths = [place(self._folder, digest) for digest in digests]
        await self._scan()
        self._uses.update(digests)
        try:
            await self._bring(dict(zip(digests, paths, strict=True)))
            yield paths
        finally:
            self._uses.subtract(digests)
            self._uses = +self._uses
            await self._evict()

    async def _scan(self) -> None:
        async with self._scanning:
            if not self._is_scanned:
                self._sizes.update(await asyncio.to_thread(_found, self._folder))
                self._bytes = sum(self._sizes.values())
                self._unverified.update(self._sizes)
                self._is_scanned = True

    async def _bring(self, paths: Mapping[Digest, Path]) -> None:
        gone = await asyncio.to_thread(_gone, paths)
        wanted = [digest for digest in paths if digest in gone or not self._is_trusted(digest)]
        # Shielded: others may wait for the same download when this caller no longer does.
        work = (asyncio.shield(self._fetch(digest, paths[digest])) for digest in wanted)
        answers = await asyncio.gather(*work, return_exceptions=True)
        for digest in paths:
            if digest in self._sizes:
                self._sizes.move_to_end(digest)
        await self._evict()
        for answer in answers:
            if answer is not None:
                raise answer

    def _is_trusted(self, digest: Digest) -> bool:
        return digest in self._sizes and digest not in self._unverified

    async def _fetch(self, digest: Digest, path: Path) -> None:
        async with self._lock(digest):
            size = await asyncio.to_thread(_size, path, digest, is_trusted=self._is_trusted(digest))
            if size is None:
                async with self._fetching:
                    await self._blobs.fetch(digest, path)
                size = await asyncio.to_thread(_finish, path)
            self._bytes += size - self._sizes.get(digest, 0)
            self._sizes[digest] = size
            self._unverified.discard(digest)

    async def _evict(self) -> None:
        if self._bytes <= self._limit_bytes:
            return
        for digest in list(self._sizes):
            await asyncio.shield(self._remove(digest))
            if self._bytes <= self._limit_bytes:
                return

    async def _remove(self, digest: Digest) -> None:
        async with self._lock(digest):
            if self._uses[digest] or digest not in self._sizes:
                return
            self._bytes -= self._sizes.pop(digest)
            self._unverified.discard(digest)
            await asyncio.to_thread(place(self._folder, digest).unlink, missing_ok=True)

    def _lock(self, digest: Digest) -> asyncio.Lock:
        return self._locks.setdefault(digest, asyncio.Lock())


def _found(folder: Path) -> dict[Digest, int]:
    with folder_errors():
        for partial in folder.glob("??/.*"):
            partial.unlink(missing_ok=True)
    blobs = [blob for number in range(256) for blob in stored_in(folder / f"{number:02x}")]
    return {blob.digest: blob.size for blob in sorted(blobs, key=lambda blob: blob.written_at)}


def _gone(paths: Mapping[Digest, Path]) -> set[Digest]:
    return {digest for digest, path in paths.items() if not path.exists()}


def _size(path: Path, digest: Digest, *, is_trusted: bool) -> int | None:
    try:
        with folder_errors(digest):
            if not is_trusted:
                with path.open("rb") as file:
                    check(path, digest, found=copy(file, None)[0])
            return path.stat().st_size
    except (NotFound, Invalid):
        return None


def _finish(path: Path) -> int:
    with folder_errors():
        path.chmod(0o444)
        return path.stat().st_size
