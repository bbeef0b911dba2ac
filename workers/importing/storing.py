"""Images on their way into the store, many at a time, while the next are being inspected."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from storage.ports import Blobs, Source


class Storing:
    """Puts images into the store in the background; on leaving it all are kept, or the first error is raised."""

    def __init__(self, blobs: Blobs, *, at_once: int) -> None:
        """Have about so many images on their way at a time."""
        self._blobs = blobs
        self._at_once = at_once
        self._under_way = 0
        self._room = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._error: BaseException | None = None

    async def put(self, images: Sequence[Source]) -> None:
        """Begin to store some images, once there is room; raise the error of earlier ones."""
        if not images:
            return
        async with self._room:
            await self._room.wait_for(lambda: self._under_way < self._at_once)
            self._under_way += len(images)
        if self._error is not None:
            raise self._error
        task = asyncio.create_task(self._put(images))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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

    async def _put(self, images: Sequence[Source]) -> None:
        try:
            await self._blobs.put_many(images)
        except Exception as error:  # noqa: BLE001 - it is raised where the next are put, or at the end
            self._error = self._error or error
        finally:
            async with self._room:
                self._under_way -= len(images)
                self._room.notify_all()
