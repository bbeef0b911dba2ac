"""Blobs in several folders: images and model packages each in their own, all else in the main one."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from schemas.blobs import BlobRef
from schemas.errors import Invalid, NotFound, Unavailable
from schemas.places import Places
from schemas.schema import Digest, digest_of
from storage.blob_files import folder_errors, place
from storage.blob_writer import source_errors
from storage.folder import FolderBlobs
from storage.ports import Source, StoredBlob

OCTETS: Final = "application/octet-stream"
LISTED_TOGETHER: Final = 1_000


class PlacedBlobs:
    """Blobs of a data folder and of the folders beside it, which are asked for anew each time: others may add some.

    A blob lies in one folder: what lies somewhere already is refreshed there, wherever its media type would have it.
    A folder that has gone is Unavailable, and never made again.
    """

    def __init__(self, main: Path, *, places: Callable[[], Places]) -> None:
        self._main = main
        self._places = places
        self._shelves: dict[Path, FolderBlobs] = {}

    async def put(self, data: bytes, *, media_type: str = OCTETS) -> BlobRef:
        """Keep some bytes durably, in the folder of their type unless they lie elsewhere."""

        def home() -> Path:
            return self._home(digest_of(data), media_type)

        return await self._shelf(await asyncio.to_thread(home)).put(data, media_type=media_type)

    async def put_file(self, path: Path, *, media_type: str = OCTETS, digest: Digest | None = None) -> BlobRef:
        """Keep the bytes of a file durably, in the folder of their type unless they lie elsewhere."""

        def home() -> Path:
            return self._home(_digest_of_file(path) if digest is None else digest, media_type)

        return await self._shelf(await asyncio.to_thread(home)).put_file(path, media_type=media_type, digest=digest)

    async def put_many(self, sources: Sequence[Source]) -> None:
        """Keep several contents durably, each in the folder of its type unless it lies elsewhere."""
        homes = await asyncio.to_thread(lambda: [self._home_of(source) for source in sources])
        by_home: dict[Path, list[Source]] = {}
        for home, source in zip(homes, sources, strict=True):
            by_home.setdefault(home, []).append(source)
        puts = (self._shelf(home).put_many(some) for home, some in by_home.items())
        for answer in await asyncio.gather(*puts, return_exceptions=True):
            if answer is not None:
                raise answer

    async def get(self, digest: Digest) -> bytes:
        """Return all bytes of a blob."""
        return await (await self._shelf_of(digest)).get(digest)

    async def fetch(self, digest: Digest, to: Path) -> None:
        """Write a blob into a file."""
        await (await self._shelf_of(digest)).fetch(digest, to)

    async def stream(self, digest: Digest, *, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes of a blob; the last piece of a whole one comes after the comparison with its name."""
        async for piece in (await self._shelf_of(digest)).stream(digest, start=start, length=length):
            yield piece

    async def size(self, digest: Digest) -> int:
        """Return how many bytes a blob has."""
        return await (await self._shelf_of(digest)).size(digest)

    async def list(self) -> AsyncIterator[StoredBlob]:
        """Yield every blob of all folders once, and remove what was left behind by writes that never ended."""
        seen: list[Path] = []
        for root in await asyncio.to_thread(self._roots):
            waiting: list[StoredBlob] = []
            async for blob in self._shelf(root).list():
                waiting.append(blob)
                if len(waiting) == LISTED_TOGETHER:
                    for new in await asyncio.to_thread(_not_in, seen, waiting):
                        yield new
                    waiting = []
            for new in await asyncio.to_thread(_not_in, seen, waiting):
                yield new
            seen.append(root)

    async def remove(self, digest: Digest, *, unless_since: datetime | None = None) -> bool:
        """Forget a blob wherever it lies, unless it was put or refreshed since."""
        place(self._main, digest)  # raises Invalid for what is no digest
        roots = await asyncio.to_thread(self._roots)
        there = await asyncio.to_thread(_where, digest, roots)
        return all([await self._shelf(root).remove(digest, unless_since=unless_since) for root in there])

    def _home_of(self, source: Source) -> Path:
        try:
            digest = source.digest or _digest_of(source.content)
        except Invalid:
            return self._main  # where it is refused when it is put
        return self._home(digest, source.media_type)

    def _home(self, digest: Digest, media_type: str) -> Path:
        places = self._places()
        there = _where(digest, [self._main, *places.folders])
        if there:
            return there[0]
        home = places.for_type(media_type)
        _check(() if home is None else (home,))
        return home or self._main

    def _roots(self) -> Sequence[Path]:
        folders = self._places().folders
        _check(folders)
        return [self._main, *folders]

    async def _shelf_of(self, digest: Digest) -> FolderBlobs:
        """Return where a blob lies; raise NotFound, or Unavailable if it may lie in a folder that has gone."""

        def found() -> Path:
            folders = self._places().folders
            there = _where(digest, [self._main, *folders])
            if there:
                return there[0]
            _check(folders)
            raise NotFound("blob", digest)

        return self._shelf(await asyncio.to_thread(found))

    def _shelf(self, root: Path) -> FolderBlobs:
        return self._shelves.setdefault(root, FolderBlobs(root))


def _where(digest: Digest, roots: Sequence[Path]) -> list[Path]:
    with folder_errors():
        return [root for root in roots if place(root, digest).exists()]


def _not_in(roots: Sequence[Path], blobs: Sequence[StoredBlob]) -> list[StoredBlob]:
    return [blob for blob in blobs if not _where(blob.digest, roots)]


def _digest_of(content: bytes | Path) -> Digest:
    return digest_of(content) if isinstance(content, bytes) else _digest_of_file(content)


def _digest_of_file(path: Path) -> Digest:
    with source_errors(path), path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _check(folders: Sequence[Path]) -> None:
    for folder in folders:
        if not folder.is_dir():
            step = "Bring it back (is its disk mounted?), or restore it from a back-up: images or models lie in it."
            raise Unavailable(f"The folder {folder}, in which blobs of this repository lie, is gone.", step=step)
