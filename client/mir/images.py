"""Writing the images of a version into a folder: from where they lie, or from the service."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from client.mir.session import Session
from client.mir.telling import end_progress, show_progress
from schemas.datasets import Version

AT_ONCE: Final = 16
CHUNK: Final = 512


async def write_images(session: Session, version: Version, names: Mapping[str, str], folder: Path) -> None:
    """Write each image under its name; one that is there with the same size is left. Raises what the store does."""
    blobs = None
    if not os.environ.get("YMIR_URL"):
        from client.data_blobs import blobs_of  # noqa: PLC0415 - opens the stores, which a service elsewhere has

        blobs = blobs_of(session.repository.data)
    free = asyncio.Semaphore(AT_ONCE)
    path = f"{session.path}/datasets/{version.dataset_name}/versions/{version.number}/assets"

    async def write(name: str, asset: str) -> None:
        async with free:
            to = folder / name
            if blobs is None:
                await session.client.save(f"{path}/{asset}/image", to)
            elif not _is_there(to, await blobs.size(f"sha256:{asset}")):
                await blobs.fetch(f"sha256:{asset}", to)

    items = list(names.items())
    for start in range(0, len(items), CHUNK):
        await asyncio.gather(*(write(name, asset) for name, asset in items[start : start + CHUNK]))
        show_progress(0.7 + 0.3 * start / len(items), "writing images")
    end_progress()


def _is_there(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False
