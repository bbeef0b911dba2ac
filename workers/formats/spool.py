"""Files that grow while images come and are read again at the end, so that no memory grows instead."""

from collections.abc import Iterator
from typing import IO, Final

PIECE_BYTES: Final = 1 << 20


class Spool:
    """Something to write to, piece by piece, and to read once."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        # Most pieces are small, and a file that is also read takes its time for each.
        self._held = bytearray()
        self.written = 0
        """How many pieces were written."""

    def write(self, piece: bytes) -> None:
        """Put a piece at the end."""
        self._held += piece
        if len(self._held) >= PIECE_BYTES:
            self._file.write(self._held)
            self._held.clear()
        self.written += 1

    def pieces(self) -> Iterator[bytes]:
        """Yield all that was written, from the beginning, and close."""
        with self._file as file:
            file.write(self._held)
            file.seek(0)
            while piece := file.read(PIECE_BYTES):
                yield piece

    def lines(self) -> Iterator[bytes]:
        """Yield all that was written, line by line, and close."""
        with self._file as file:
            file.write(self._held)
            file.seek(0)
            yield from file

    def close(self) -> None:
        """Close, whether it was read or not."""
        self._file.close()
