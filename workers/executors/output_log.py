"""A log of bounded size, for output of any size; standard library only, for the supervisor."""

import collections
import contextlib
import os
import time
from typing import Final

TAIL_BYTES: Final = 65_536
SHOW_SECONDS: Final = 1.0


class OutputLog:
    """A file that takes any amount of output: its beginning and its end are kept, and how much lies between."""

    def __init__(self, path: str, *, limit: int) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        self._room = self._limit = limit
        self._shown_at = time.monotonic()
        self._tail: collections.deque[bytes] = collections.deque()
        self._tail_bytes = 0
        self._left_out = 0

    def write(self, data: bytes) -> None:
        """Take some output."""
        head, rest = data[: self._room], data[self._room :]
        self._room -= len(head)
        self._put(head)
        if rest:
            self._tail.append(rest)
            self._tail_bytes += len(rest)
        while self._tail and self._tail_bytes - len(self._tail[0]) >= TAIL_BYTES:
            self._left_out += len(self._tail[0])
            self._tail_bytes -= len(self._tail.popleft())
        # Whoever watches sees the end while it grows, and it is there if this process is killed.
        if self._tail and time.monotonic() - self._shown_at >= SHOW_SECONDS:
            self._show()

    def close(self) -> None:
        """Write what was kept of the end."""
        if self._tail:
            self._show()
        os.close(self._file)

    def _show(self) -> None:
        told = b"\n[... %d bytes left out ...]\n" % self._left_out if self._left_out else b""
        with contextlib.suppress(OSError):
            os.lseek(self._file, self._limit, os.SEEK_SET)
            self._put(told + b"".join(self._tail))
            os.ftruncate(self._file, os.lseek(self._file, 0, os.SEEK_CUR))
        self._shown_at = time.monotonic()

    def _put(self, data: bytes) -> None:
        # A disk that is full must not keep the executor from being ended.
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._file, data) :]
