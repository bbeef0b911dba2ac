"""Lines: items that wait in one process for whoever asks next."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Line(Generic[T]):
    """Items in the order of their arrival.

    An item leaves the line in the very step in which it is returned, so a wait that is given up takes none along.
    """

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Add an item at the end."""
        self._items.append(item)
        self._changed.set()

    def drop_oldest(self) -> None:
        """Forget the first item."""
        self._items.popleft()

    def wake(self) -> None:
        """Have everyone who waits ask anew whether to go on."""
        self._changed.set()

    async def take(self, *, unless: Callable[[], bool]) -> T:
        """Return the first item once there is one; raise StopAsyncIteration when ``unless`` has become true."""
        while not unless():
            if self._items:
                return self._items.popleft()
            self._changed.clear()
            await self._changed.wait()
        raise StopAsyncIteration
