"""A bounded cache of blobs as local files, the least recently used going first."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from schemas.errors import Invalid
from schemas.schema import Digest
from storage.blob_files import folder_errors, place, scan, verified_size
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
                self._unverified.update(self._sizes)
                self._is_scanned = True

    async def _bring(self, paths: Mapping[Digest, Path]) -> None:
        here = await asyncio.to_thread(_existing, paths)
        wanted = [digest for digest in paths if digest not in here or not self._is_good(digest)]
        # Shielded: others may wait for the same download when this caller no longer does.
        work = (asyncio.shield(self._fetch(digest, paths[digest], missing=digest not in here)) for digest in wanted)
        answers = await asyncio.gather(*work, return_exceptions=True)
        for digest in paths:
            if digest in self._sizes:
                self._sizes.move_to_end(digest)
        await self._evict()
        for answer in answers:
            if answer is not None:
                raise answer

    def _is_good(self, digest: Digest) -> bool:
        return digest in self._sizes and digest not in self._unverified

    async def _fetch(self, digest: Digest, path: Path, *, missing: bool) -> None:
        async with self._fetching, self._lock(digest):
            ...
