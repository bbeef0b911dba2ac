"""Where an import takes its files from: a path of the server, an upload, a URL, or an S3 prefix."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from schemas.errors import Invalid
from schemas.exchange_parameters import ImportSource
from schemas.uploads import Upload
from storage.ports import Blobs, Database
from workers.downloading import download
from workers.importing.settings import ImportSettings
from workers.source_files import folder_of

Report = Callable[[float, str], None]


@asynccontextmanager
async def opened(
    source: ImportSource,
    *,
    scratch: Path,
    settings: ImportSettings,
    progress: Report,
    database: Database,
    blobs: Blobs,
) -> AsyncIterator[Path]:
    """Give the folder of a source; what is a file or comes from elsewhere is put below ``scratch``.

    Raise Invalid for what cannot be opened, NotFound for an upload that has gone, Unavailable for a server that does
    not answer.
    """
    path = await _path_of(source, scratch=scratch, settings=settings, progress=progress, database=database, blobs=blobs)
    if path.is_dir():
        yield path
        return
    yield await folder_of(path, scratch / "unpacked", limits=settings.archive_limits, progress=progress)


def path_under(roots: Sequence[Path], path: str) -> Path:
    """Return a path of the server, links resolved; raise Invalid unless it exists and lies under one of ``roots``."""
    resolved = Path(path).resolve()
    if not any(resolved.is_relative_to(root.resolve()) for root in roots):
        message = f"The path {path!r} is not under one of the import roots."
        raise Invalid(message, step="Move the files there, upload them, or have the root added to YMIR_IMPORT_ROOTS.")
    if not resolved.exists():
        message = f"There is nothing at {path!r}."
        raise Invalid(message, step="Check the path on the machine of the workers.")
    if not resolved.is_dir() and not resolved.is_file():
        message = f"What is at {path!r} is neither a folder nor a file."
        raise Invalid(message, step="Name a folder, an archive or an image.")
    return resolved


async def _path_of(
    source: ImportSource,
    *,
    scratch: Path,
    settings: ImportSettings,
    progress: Report,
    database: Database,
    blobs: Blobs,
) -> Path:
    if source.path is not None:
        return await asyncio.to_thread(path_under, settings.import_roots, source.path)
    folder = scratch / "fetched"
    folder.mkdir()
    if source.url is not None:
        return await download(source.url, folder, settings=settings, progress=progress)
    if source.s3 is not None:
        from workers.s3_prefixes import fetch_prefix  # noqa: PLC0415 - few imports need a client of S3

        return await fetch_prefix(source.s3, folder, server=source.server, settings=settings, progress=progress)
    if source.upload is None:
        message = "A version of another project is no source of files."
        raise Invalid(message, step="Ask for a copy.")
    upload = await database.documents(Upload).get(source.upload)
    path = folder / (Path(upload.name).name or "upload")
    await blobs.fetch(upload.blob.digest, path)
    return path
