"""Where an import takes its files from: a folder or archive of the server, or an upload."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from schemas.errors import Invalid
from schemas.exchange_parameters import ImportSource
from schemas.uploads import Upload
from storage.ports import Blobs, Database
from workers.archives import ArchiveLimits, unpack

Report = Callable[[float, str], None]


@asynccontextmanager
async def opened(
    source: ImportSource,
    *,
    scratch: Path,
    roots: Sequence[Path],
    limits: ArchiveLimits,
    progress: Report,
    database: Database,
    blobs: Blobs,
) -> AsyncIterator[Path]:
    """Give the folder of a source, archives unpacked below ``scratch``; raise Invalid for what cannot be opened."""
    path = await _path_of(source, scratch=scratch, roots=roots, database=database, blobs=blobs)
    if path.is_dir():
        yield path
        return
    folder = scratch / "unpacked"
    folder.mkdir()
    await _unpacked(path, folder, limits=limits, progress=progress)
    yield folder


def path_under(roots: Sequence[Path], path: str) -> Path:
    """Return a path of the server, links resolved; raise Invalid unless it exists and lies under one of ``roots``."""
    resolved = Path(path).resolve()
    if not any(resolved.is_relative_to(root.resolve()) for root in roots):
        message = f"The path {path!r} is not under one of the import roots."
        raise Invalid(message, step="Move the files there, upload them, or have the root added to YMIR_IMPORT_ROOTS.")
    if not resolved.exists():
        message = f"There is nothing at {path!r}."
        raise Invalid(message, step="Check the path on the machine of the workers.")
    return resolved


async def _path_of(
    source: ImportSource, *, scratch: Path, roots: Sequence[Path], database: Database, blobs: Blobs
) -> Path:
    if source.path is not None:
        return await asyncio.to_thread(path_under, roots, source.path)
    if source.upload is None:
        message = "Importing from a URL or another project is not offered yet."
        raise Invalid(message, step="Import from a path, or upload the files.")
    upload = await database.documents(Upload).get(source.upload)
    path = scratch / (Path(upload.name).name or "upload")
    await blobs.fetch(upload.blob.digest, path)
    return path


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
