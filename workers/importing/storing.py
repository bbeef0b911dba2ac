"""Images on their way into the store, many at a time, while the next are being inspected."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from schemas.blobs import BlobRef
from storage.datasets.rows import ImageRow
from storage.ports import Blobs


class Storing:
    """Puts files into the store in the background; on leaving it all are kept, or the first error is raised."""

    def __init__(self, blobs: Blobs, *, at_once: int) -> None:
        self._blobs = blobs
        self._free = asyncio.Semaphore(at_once)
        self._tasks: set[asyncio.Task[BlobRef]] = set()
        self._error: BaseException | None = None

    async def put(self, folder: Path, image: ImageRow) -> None:
        """Begin to store an image file, once there is room; raise the error of an earlier one."""
        await self._free.acquire()
        if self._error is not None:
            raise self._error
        put = self._blobs.put_file(
            folder / image.file_name, media_type=image.media_type, digest=f"sha256:{image.asset.hex()}"
        )
        task = asyncio.ensure_future(put)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            for task in self._tasks:
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if error is None and self._error is not None:
            raise self._error

    def _done(self, task: "asyncio.Task[BlobRef]") -> None:
        self._tasks.discard(task)
        self._free.release()
        if not task.cancelled() and task.exception() is not None:
            self._error = self._error or task.exception()
