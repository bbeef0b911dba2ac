"""Archives from strangers, unpacked into a folder: nothing outside it, no links, no bombs."""

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from errno import EDQUOT, EILSEQ, EINVAL, ENAMETOOLONG, ENOSPC
from functools import partial
from pathlib import Path, PurePosixPath
from struct import error as StructError  # noqa: N812 - an exception under the name of one
from typing import IO, Final, NamedTuple, cast
from zlib import error as ZlibError  # noqa: N812 - an exception under the name of one

from schemas.errors import Fault, Invalid, Unavailable

SUFFIXES: Final = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
PIECE_BYTES: Final = 1 << 20
RATIO_FREE_BYTES: Final = 100 << 20
"""So much may always come out of an archive, however small it is."""

READ_AT_ONCE_BYTES: Final = 16 << 20

_ENCRYPTED: Final = 0x1
# By what a compressed file begins with.
_DECOMPRESSORS: Final[Mapping[bytes, Callable[[IO[bytes]], IO[bytes]]]] = {
    b"\x1f\x8b": lambda raw: cast("IO[bytes]", gzip.GzipFile(fileobj=raw)),
    b"BZh": lambda raw: cast("IO[bytes]", bz2.BZ2File(raw)),
    b"\xfd7zXZ\x00": lambda raw: cast("IO[bytes]", lzma.LZMAFile(raw)),  # noqa: SIM115 - it is read for as long as its archive
}
_DAMAGED: Final = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    ZlibError,
    EOFError,
    NotImplementedError,
    StructError,
    ValueError,
)
# What comes of positions and names that no archive has.
_UNWRITABLE: Final = frozenset({EINVAL, EILSEQ, ENAMETOOLONG})
_FULL: Final = frozenset({ENOSPC, EDQUOT})


class ArchiveLimits(NamedTuple):
    """How much may come out of an archive."""

    size: int
    """Bytes of all members together."""
    ratio: float
    """How many times the archive's own size, beyond what is free."""
    members: int


class Unpacked(NamedTuple):
    """What was unpacked."""

    files: int
    size: int
    archives: tuple[str, ...]
    """Members that are archives themselves; they were left as they are."""


class _Member(NamedTuple):
    name: str
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, to: Path, *, limits: ArchiveLimits, progress: Callable[[float], None]) -> Unpacked:
    """Unpack a zip or tar archive into an empty folder; raise Invalid, naming the member, for whatever is unsafe.

    ``progress`` is told the fraction that is done, and may raise to stop the work.
    """
    budget = _Budget(archive, limits)
    seen: set[str] = set()
    nested = []
    with _damage(archive):
        for done, member in _members(archive, budget):
            target = _target(member.name, to, seen)
            budget.count(member.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            with member.open() as source, target.open("xb") as file:
                _copy(source, file, member.name, budget)
            if member.name.lower().endswith(SUFFIXES):
                nested.append(member.name)
            progress(done)
    return Unpacked(budget.files, budget.size, tuple(nested))


class _Budget:
    def __init__(self, archive: Path, limits: ArchiveLimits) -> None:
        self.files = 0
        self.size = 0
        self._members = limits.members
        self._size = min(limits.size, int(RATIO_FREE_BYTES + limits.ratio * archive.stat().st_size))

    def count(self, name: str) -> None:
        self.files += 1
        if self.files > self._members:
            raise _refused(name, f"the archive has more than {self._members} members")

    def spend(self, name: str, size: int) -> None:
        self.size += size
        if self.size > self._size:
            raise _refused(name, f"the archive unpacks to more than {self._size} bytes: it may be a bomb")


def _members(archive: Path, budget: _Budget) -> Iterator[tuple[float, _Member]]:
    if zipfile.is_zipfile(archive):
        yield from _zip_members(archive)
    elif _is_tar(archive):
        yield from _tar_members(archive, budget)
    else:
        message = f"{archive.name} is no archive that can be unpacked, or it is truncated."
        raise Invalid(message, step="Send a zip or tar (.tar, .tar.gz, .tar.xz) archive, whole.")


def _zip_members(archive: Path) -> Iterator[tuple[float, _Member]]:
    with zipfile.ZipFile(archive) as file:
        infos = file.infolist()
        for position, info in enumerate(infos, start=1):
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir():
                _checked(info.filename)
                continue
            if kind not in {0, stat.S_IFREG}:
                raise _refused(info.filename, "it is a link or device")
            if info.flag_bits & _ENCRYPTED:
                raise _refused(info.filename, "it is encrypted")
            yield position / len(infos), _Member(info.filename, partial(file.open, info))


def _tar_members(archive: Path, budget: _Budget) -> Iterator[tuple[float, _Member]]:
    size = archive.stat().st_size or 1
    with archive.open("rb") as raw, _opened_tar(raw) as file:
        for info in file:
            if info.isdir():
                _checked(info.name)
                continue
            if not info.isreg():
                raise _refused(info.name, "it is a link or device")
            yield min(raw.tell() / size, 1.0), _Member(info.name, partial(_tar_file, file, info))
        # What follows the last member is where a truncated stream shows, and counts like the rest.
        while rest := file.fileobj.read(PIECE_BYTES):
            budget.spend(archive.name, len(rest))


def _tar_file(file: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    opened = file.extractfile(info)
    if opened is None:
        raise _refused(info.name, "it has no content")
    return opened


def _checked(name: str) -> PurePosixPath:
    """Return the path of a member; raise Invalid for one that could lie outside the folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\0" in name or (path.parts and path.parts[0].endswith(":")):
        raise _refused(name, "its path leads out of the archive")
    return path


def _target(name: str, to: Path, seen: set[str]) -> Path:
    path = _checked(name)
    if path.as_posix() in seen or not path.parts:
        raise _refused(name, "the archive has two members of that name" if path.parts else "it has no name")
    seen.add(path.as_posix())
    return to / path


def _copy(source: IO[bytes], file: IO[bytes], name: str, budget: _Budget) -> None:
    while piece := source.read(PIECE_BYTES):
        budget.spend(name, len(piece))
        file.write(piece)


def _is_tar(path: Path) -> bool:
    try:
        with path.open("rb") as raw, _opened_tar(raw):
            return True
    except (tarfile.TarError, EOFError, OSError, ZlibError, lzma.LZMAError):
        return False


def _opened_tar(raw: IO[bytes]) -> tarfile.TarFile:
    head = raw.read(len(max(_DECOMPRESSORS, key=len)))
    raw.seek(0)
    plain = next((opened(raw) for magic, opened in _DECOMPRESSORS.items() if head.startswith(magic)), raw)
    return tarfile.open(fileobj=cast("IO[bytes]", _Bounded(plain)), mode="r:")


class _Bounded:
    """A stream of which little is read at once: headers that claim to be large would be held in memory whole."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek = stream.seek
        self.tell = stream.tell
        self.close = stream.close

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= READ_AT_ONCE_BYTES:
            message = f"a header of {size} bytes"
            raise tarfile.ReadError(message)
        return self._stream.read(size)


@contextmanager
def _damage(archive: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise _damaged(archive, error) from error
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        message = f"{archive.name} has a member that is a file and a folder at once: {Path(error.filename).name}"
        raise Invalid(message, step="Pack it anew, each name once.") from error
    except OSError as error:
        if error.errno in _FULL:
            message = f"The disk is full; {archive.name} could not be unpacked."
            raise Unavailable(message, step="Make room where the workers have their scratch folders.") from error
        if error.errno in _UNWRITABLE:
            raise _damaged(archive, error) from error
        raise


def _damaged(archive: Path, error: Exception) -> Invalid:
    message = f"{archive.name} is damaged or truncated: {str(error) or type(error).__name__}"
    return Invalid(message, step="Pack it anew and send it whole.")


def _refused(name: str, reason: str) -> Invalid:
    message = f"The archive's member {name[:200]!r} is refused: {reason}."
    return Invalid(message, step="Pack the archive anew without it.", faults=[Fault(reason, name[:200])])
