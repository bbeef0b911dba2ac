"""A file as a source: an archive is unpacked, a single image stands in a folder of its own."""

import asyncio
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from schemas.errors import Invalid
from workers.archives import ArchiveLimits, unpack

Report = Callable[[float, str], None]

HEAD_BYTES: Final = 64
# What a file of a type begins with, and a suffix under which it is looked at as an image.
_IMAGES: Final = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"BM", ".bmp"),
    (b"GIF8", ".gif"),
    (b"II*\0", ".tiff"),
    (b"MM\0*", ".tiff"),
)
_RIFF, _WEBP = b"RIFF", b"WEBP"
_TEXT: Final = (b"{", b"[", b"<")
_TEXT_SUFFIXES: Final = frozenset({".json", ".xml", ".txt", ".csv", ".tsv", ".yaml", ".yml"})


async def folder_of(path: Path, folder: Path, *, limits: ArchiveLimits, progress: Report) -> Path:
    """Return a new folder with what is in a file; raise Invalid, saying what can be sent, for one without an image."""
    await asyncio.to_thread(folder.mkdir)
    suffix = await asyncio.to_thread(_image_suffix, path)
    if suffix is not None:
        name = path.name if path.suffix else f"{path.name}{suffix}"
        await asyncio.to_thread(_linked, path, folder / name)
        return folder
    await _unpacked(path, folder, limits=limits, progress=progress)
    return folder


def _image_suffix(path: Path) -> str | None:
    """Return the suffix of the image that a file is by its first bytes, None if it may be an archive."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(_RIFF) and head[8:12] == _WEBP:
        return ".webp"
    for begin, suffix in _IMAGES:
        if head.startswith(begin):
            return suffix
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_TEXT) or path.suffix.lower() in _TEXT_SUFFIXES:
        message = f"{path.name} is a text of annotations at most; the images that they are about are not in it."
        raise Invalid(message, step="Send a zip or tar archive with the images and the annotations.")
    return None


def _linked(path: Path, to: Path) -> None:
    try:
        to.hardlink_to(path)
    except OSError:  # another disk, or one that knows no second name of a file
        shutil.copyfile(path, to)


async def _unpacked(path: Path, folder: Path, *, limits: ArchiveLimits, progress: Report) -> None:
    stopped = threading.Event()

    def told(fraction: float) -> None:
        if stopped.is_set():
            raise _StoppedError
        progress(fraction, "unpacking")

    def work() -> None:
        found = unpack(path, folder, limits=limits, progress=told)
        if found.archives and len(found.archives) == found.files:
            message = f"The archive holds only other archives, such as {found.archives[0]!r}."
            raise Invalid(message, step="Unpack it once, and send what was inside.")

    thread = asyncio.create_task(asyncio.to_thread(work))
    try:
        await asyncio.shield(thread)
    except asyncio.CancelledError:
        # The folder goes away afterwards: nobody may be writing into it by then.
        stopped.set()
        await asyncio.wait([thread])
        raise


class _StoppedError(Exception):
    """The unpacking is to end."""
