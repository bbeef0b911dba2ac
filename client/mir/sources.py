"""What an import is given: a path that the service reads itself, or a packed upload."""

import asyncio
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from client.mir.session import Session
from client.mir.telling import tell
from schemas.schema import new_id
from schemas.uploads import Upload


@asynccontextmanager
async def scratch(session: Session) -> AsyncIterator[Path]:
    """Give an empty folder for as long as it is needed."""
    folder = session.repository.data / "staging"
    folder.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=folder) as path:
        yield Path(path)


async def source_of(session: Session, path: Path, *, scratch: Path) -> dict[str, str]:
    """Return how an import names a folder or archive; a service elsewhere is sent it first."""
    if session.is_own:
        return {"path": str(path.absolute())}
    archive = path
    if path.is_dir():
        tell(f"packing {path.name}")
        archive = scratch / f"{new_id()}.tar"
        await asyncio.to_thread(_pack, path, archive)
    tell(f"sending {archive.stat().st_size:,} bytes")
    upload = await session.client.put(Upload, f"/v1/uploads/{archive.name}", archive)
    return {"upload": upload.id}


def _pack(folder: Path, archive: Path) -> None:
    # What links lead to is packed, under the names of the links.
    with tarfile.open(archive, "x", dereference=True) as packed:
        packed.add(folder, arcname=".")
