"""A temporary file without a name: it is gone with the value that holds it, or with the process."""

import os
import weakref
from pathlib import Path
from tempfile import mkstemp
from typing import Final

HELD_BYTES: Final = 1 << 18


class Nameless:
    """Bytes that are written one after the other, and read anywhere."""

    def __init__(self, scratch: Path | None) -> None:
        """Make it below ``scratch``, else where the system has temporary files."""
        self._file, name = mkstemp(dir=scratch)
        Path(name).unlink()
        weakref.finalize(self, os.close, self._file)
        self._held = bytearray()

    def write(self, data: bytes) -> None:
        """Put bytes at the end."""
        self._held += data
        if len(self._held) >= HELD_BYTES:
            self._flush()

    def read(self, start: int, size: int) -> bytes:
        """Return some bytes that were written."""
        if self._held:
            self._flush()
        return os.pread(self._file, size, start)

    def _flush(self) -> None:
        view = memoryview(bytes(self._held))
        self._held.clear()
        while view:
            view = view[os.write(self._file, view) :]
