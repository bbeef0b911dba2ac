"""What an import is given: a path that the service reads itself, or what was sent to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from client.mir.session import Session
from client.mir.telling import end_progress, show_progress, tell
from client.uploading import upload


@asynccontextmanager
async def scratch(session: Session) -> AsyncIterator[Path]:
    """Give an empty folder for as long as it is needed."""
    folder = session.repository.data / "staging"
    folder.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=folder) as path:
        yield Path(path)


async def source_of(session: Session, path: Path) -> dict[str, str]:
    """Return how an import names a folder or archive; a service elsewhere is sent it first.

    Of what was sent before, by a command that was interrupted, only the rest is sent.
    """
    if session.is_own:
        return {"path": str(path.absolute())}
    tell(f"sending {path.name}")

    def seen(there: int, whole: int | None) -> None:
        show_progress(there / whole if whole else 0.0, f"{there:,} bytes sent")

    sent = await upload(session.client, path, seen=seen)
    end_progress()
    return {"upload": sent.id}
