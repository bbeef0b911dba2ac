"""A local folder as a tar that is made while it is sent."""

import asyncio
import os
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

from client.calls import Pieces
from client.files import PIECE_BYTES, SeenBytes
from schemas.errors import Invalid


def packed(folder: Path, *, seen: SeenBytes) -> Pieces:
    """Return what packs the files of a folder, links followed; the same files are the same bytes each time.

    Raise Invalid for a link that leads back to a folder above it.
    """

    async def pieces() -> AsyncIterator[bytes]:
        files = await asyncio.to_thread(lambda: list(files_in(folder)))
        done, whole = 0, sum(path.stat().st_size for path in files)
        reading, writing = os.pipe()
        # A pipe: whoever packs waits for whoever sends, and ends when nobody reads any more.
        packing = asyncio.ensure_future(asyncio.to_thread(_pack, folder, files, writing))
        try:
            with open(reading, "rb") as file:  # noqa: ASYNC230, PTH123 - a descriptor; what may block is in a thread
                while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                    yield piece
                    done += len(piece)
                    seen(min(done, whole), whole)
            await packing
        finally:
            with suppress(OSError, asyncio.CancelledError):
                await packing

    return pieces


def files_in(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder in a fixed order, links to files and folders followed; raise Invalid as above."""
    for root, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        for link in (path for name in folders if (path := Path(root, name)).is_symlink()):
            if Path(root).resolve().is_relative_to(link.resolve()):
                message = f"{link} is a link to a folder that it is in itself, and can be followed for ever."
                raise Invalid(message, step="Remove the link, or name the folder that is meant.")
        yield from (path for name in sorted(names) if (path := Path(root, name)).is_file())


def no_files_in(folder: Path) -> Iterator[Path]:
    """Yield what is not packed: pipes, sockets, devices, and links that lead to no file."""
    for root, _, names in os.walk(folder, followlinks=True):
        yield from (path for name in sorted(names) if not (path := Path(root, name)).is_file())


def _pack(folder: Path, files: list[Path], writing: int) -> None:
    with open(writing, "wb") as pipe, tarfile.open(fileobj=pipe, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path in files:
            member = tarfile.TarInfo(str(path.relative_to(folder)))
            with path.open("rb") as file:
                member.size = os.fstat(file.fileno()).st_size
                archive.addfile(member, file)
