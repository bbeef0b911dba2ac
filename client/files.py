"""Files on their way to and from a service, piece by piece."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from client.calls import Pieces, Stream
from schemas.errors import Invalid, Unavailable
from schemas.schema import new_id

PIECE_BYTES: Final = 2**20

SeenBytes = Callable[[int, int | None], None]
"""Sees how many bytes went, and of how many if that is known."""


def unseen(_: int, of: int | None) -> None:
    """See nothing."""
    del of


def file_pieces(path: Path, *, seen: SeenBytes = unseen) -> Pieces:
    """Return what reads a file piece by piece, from its beginning each time."""

    async def pieces() -> AsyncIterator[bytes]:
        with await asyncio.to_thread(path.open, "rb") as file:
            done, size = 0, (await asyncio.to_thread(path.stat)).st_size
            while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                yield piece
                done += len(piece)
                seen(done, size)

    return pieces


async def saved(stream: Stream, to: Path, *, seen: SeenBytes) -> None:
    """Write what comes to a file, which is there (instead of what was there) only once it is complete.

    Raise Invalid if nothing can be written there, Unavailable if it breaks off or the disk is full.
    """
    if await asyncio.to_thread(_is_special, to):
        await _kept(stream, to, to, seen=seen)
        return
    draft = to.with_name(f".{to.name}.{new_id()[:8]}")
    try:
        await _kept(stream, draft, to, seen=seen)
    finally:
        await asyncio.to_thread(draft.unlink, missing_ok=True)


async def _kept(stream: Stream, draft: Path, to: Path, *, seen: SeenBytes) -> None:
    try:
        await _written(stream, draft, seen=seen)
        if draft != to:
            await asyncio.to_thread(draft.replace, to)
    except FileNotFoundError as error:
        raise Invalid(f"There is no folder {to.parent}.", step="Make it, or name another file.") from error
    except OSError as error:
        message = f"The file {to} cannot be written: {error.strerror or error}."
        raise Unavailable(message, step="Free disk space, or name another file.") from error


def _is_special(path: Path) -> bool:
    """Return whether a path is something to write into, such as a pipe, and no file to be replaced."""
    return path.exists() and not path.is_file()


async def _written(stream: Stream, draft: Path, *, seen: SeenBytes) -> None:
    done = 0
    with await asyncio.to_thread(draft.open, "wb") as file:
        async for piece in stream.pieces:
            await asyncio.to_thread(file.write, piece)
            done += len(piece)
            seen(done, stream.size)
