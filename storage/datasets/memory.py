"""A memory for decoded columns that is bounded by bytes and forgets what was used longest ago."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any


class Memory:
    """Values by key, at most so many bytes of them; used from one event loop only."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self.size_bytes = 0

    def get(self, key: Hashable) -> Any:  # noqa: ANN401 - the reader knows what it kept
        """Return what was kept under a key, or None."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def keep(self, key: Hashable, value: Any, *, size_bytes: int) -> None:  # noqa: ANN401 - any value
        """Keep a value and forget others as needed; one that is larger than the whole memory is not kept."""
        self.forget(key)
        if size_bytes > self._limit:
            return
        self._values[key] = (value, size_bytes)
        self.size_bytes += size_bytes
        while self.size_bytes > self._limit:
            self.forget(next(iter(self._values)))

    def forget(self, key: Hashable) -> None:
        """Forget a key; one that is not known is no error."""
        _, size_bytes = self._values.pop(key, (None, 0))
        self.size_bytes -= size_bytes
