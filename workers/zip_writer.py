"""Zip archives of any size, nothing in them compressed, written in little memory: their directory waits in a file."""

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from workers.formats.nameless import Nameless

# The first moment that a zip can tell, and rights of a file on Unix: equal contents make equal archives.
DATE: Final = 1 << 5 | 1
ATTRIBUTES: Final = 0o100644 << 16
VERSION: Final = 45
UNIX: Final = 3
UTF8: Final = 0x800
LARGE: Final = 0xFFFFFFFF
MANY: Final = 0xFFFF
PIECE_BYTES: Final = 1 << 20

# APPNOTE.TXT 6.3.10, sections 4.3.7, 4.5.3, 4.3.12, 4.3.14 to 4.3.16.
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_SIZES: Final = struct.Struct("<HHQQ")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_CENTRAL_SIZES: Final = struct.Struct("<HHQQQ")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR: Final = struct.Struct("<4sLQL")
_END: Final = struct.Struct("<4s4H2LH")


class ZipWriter:
    """Writes members one after the other; ``close`` makes it an archive."""

    def __init__(self, path: Path, *, scratch: Path | None = None) -> None:
        self._file = path.open("xb")
        self._directory = Nameless(scratch)
        self._directory_bytes = 0
        self._members = 0
        self._at = 0

    def add(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write one member."""
        head, tail = self._at, self._at + len(_header(name, 0, 0))
        start = iter(pieces)
        first = next(start, b"")
        second = next(start, None)
        crc, size = zlib.crc32(first), len(first)
        if second is None:
            self._file.write(_header(name, crc, size) + first)
        else:
            self._file.write(_header(name, 0, 0) + first)
            while second is not None:
                self._file.write(second)
                crc, size = zlib.crc32(second, crc), size + len(second)
                second = next(start, None)
            self._file.seek(head)
            self._file.write(_header(name, crc, size))
            self._file.seek(tail + size)
        self._at = tail + size
        self._note(_entry(name, crc, size, head))

    def add_file(self, name: str, path: Path) -> None:
        """Write the bytes of a file as a member."""
        with path.open("rb") as file:
            self.add(name, iter(lambda: file.read(PIECE_BYTES), b""))

    def close(self) -> None:
        """Write the directory, and close."""
        with self._file as file:
            for start in range(0, self._directory_bytes, PIECE_BYTES):
                file.write(self._directory.read(start, min(PIECE_BYTES, self._directory_bytes - start)))
            file.write(self._end())

    def _note(self, entry: bytes) -> None:
        self._directory.write(entry)
        self._directory_bytes += len(entry)
        self._members += 1

    def _end(self) -> bytes:
        count, size, at = self._members, self._directory_bytes, self._at
        end64 = b""
        if count >= MANY or size >= LARGE or at >= LARGE:
            record = (b"PK\6\6", _END64.size - 12, VERSION, VERSION, 0, 0, count, count, size, at)
            end64 = _END64.pack(*record) + _LOCATOR.pack(b"PK\6\7", 0, at + size, 1)
        few, small, near = min(count, MANY), min(size, LARGE), min(at, LARGE)
        return end64 + _END.pack(b"PK\5\6", 0, 0, few, few, small, near, 0)


def _header(name: str, crc: int, size: int) -> bytes:
    data, flags = _encoded(name)
    # Sizes are always in the larger form: of what comes in pieces they are not known before.
    extra = _SIZES.pack(1, 16, size, size)
    head = (b"PK\3\4", VERSION, flags, 0, 0, DATE, crc, LARGE, LARGE, len(data), len(extra))
    return _LOCAL.pack(*head) + data + extra


def _entry(name: str, crc: int, size: int, at: int) -> bytes:
    data, flags = _encoded(name)
    extra, small, near = b"", size, at
    if size >= LARGE or at >= LARGE:
        extra, small, near = _CENTRAL_SIZES.pack(1, 24, size, size, at), LARGE, LARGE
    made_by = UNIX << 8 | VERSION
    head = (b"PK\1\2", made_by, VERSION, flags, 0, 0, DATE, crc, small, small)
    return _CENTRAL.pack(*head, len(data), len(extra), 0, 0, 0, ATTRIBUTES, near) + data + extra


def _encoded(name: str) -> tuple[bytes, int]:
    return (name.encode("ascii"), 0) if name.isascii() else (name.encode(), UTF8)
