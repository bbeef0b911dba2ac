"""Files named by their content: where they lie, how they get there durably, and how they are compared with it."""

import errno
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple
from uuid import uuid4

from schemas.errors import Invalid, NotFound, Unavailable
from schemas.schema import Digest, digest_of
from storage.disk import sync, sync_folders
from storage.ports import StoredBlob

PIECE_BYTES: Final = 1 << 20
DAY_SECONDS: Final = 24 * 3600
INCOMING: Final = "incoming"
RESTORE: Final = "restore it from a back-up or import again"
# The time of a file that was found damaged: a put of the same bytes writes it anew.
DAMAGED_AT: Final = 0

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Staged(NamedTuple):
    """A file that is complete but not yet durable, nor under its name."""

    file: int
    path: Path
    place: Path
    size: int = 0


def place(root: Path, digest: Digest) -> Path:
    """Return where the file of a digest lies: ``<last two hex>/<64 hex>``; raise Invalid if it is no digest."""
    if not _DIGEST.fullmatch(digest):
        raise Invalid(f"{digest!r} is no digest of a blob.", step="give sha256: and 64 lower-case hex digits")
    name = digest.removeprefix("sha256:")
    return root.joinpath(name[-2:], name)


def make_folders(root: Path) -> None:
    """Make the folders in which files lie, durably."""
    root.mkdir(parents=True, exist_ok=True)
    for name in (INCOMING, *(f"{number:02x}" for number in range(256))):
        (root / name).mkdir(exist_ok=True)
    sync_folders({root})


def is_there(path: Path, *, size: int) -> bool:
    """Return whether a file lies there that need not be written again, and refresh one older than a day."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    if found.st_size != size or found.st_mtime == DAMAGED_AT:
        return False
    return time.time() - found.st_mtime <= DAY_SECONDS or _is_refreshed(path)


def stage(root: Path, digest: Digest, data: bytes) -> Staged:
    """Write some bytes beside their place, read-only."""
    path = root.joinpath(INCOMING, uuid4().hex)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
    staged = Staged(file, path, place(root, digest), len(data))
    try:
        _write(file, data)
    except BaseException:
        discard([staged])
        raise
    return staged


def settle(staged: Sequence[Staged]) -> None:
    """Give complete files of one folder their names, durably; those that did not get it are removed."""
    if not staged:
        return
    named = 0
    try:
        sync([one.file for one in staged])
        with _locked(staged[0].place.parent.parent, alone=False):
            for one in staged:
                one.path.replace(one.place)
                named += 1
        sync_folders({one.place.parent for one in staged})
    finally:
        for one in staged[:named]:
            os.close(one.file)
        discard(staged[named:])


def discard(staged: Sequence[Staged]) -> None:
    """Close files and remove those that did not get their name."""
    for one in staged:
        os.close(one.file)
        one.path.unlink(missing_ok=True)


def copy(source: BinaryIO, target: int | None) -> tuple[Digest, int]:
    """Copy a file and return the digest and size of what was copied; without a target only read it."""
    digest, size = hashlib.sha256(), 0
    while piece := source.read(PIECE_BYTES):
        digest.update(piece)
        size += len(piece)
        if target is not None:
            _write(target, piece)
    return f"sha256:{digest.hexdigest()}", size


def fetch(source: Path, digest: Digest, to: Path) -> None:
    """Copy a file that is named by its content to another place, where it appears complete or not at all."""
    to.parent.mkdir(parents=True, exist_ok=True)
    beside = to.with_name(f".{uuid4().hex}")
    with source.open("rb") as file:
        target = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            check(source, digest, found=copy(file, target)[0])
            beside.replace(to)
        finally:
            discard([Staged(target, beside, to)])


def read(path: Path, digest: Digest) -> bytes:
    """Return the bytes of a file that is named by its content; raise Invalid if they are others."""
    data = path.read_bytes()
    check(path, digest, found=digest_of(data))
    return data


def check(path: Path, digest: Digest, *, found: Digest) -> None:
    """Raise Invalid, and mark the file, unless its bytes were found to have the digest that names it."""
    if found == digest:
        return
    with suppress(OSError):
        os.utime(path, (DAMAGED_AT, DAMAGED_AT))
    raise Invalid(f"The blob {digest} is damaged: its bytes have the digest {found}.", step=RESTORE)


def remove(path: Path, *, unless_since: datetime | None = None) -> bool:
    """Remove a file unless its time is that or later; return whether it is gone."""
    try:
        with _locked(path.parent.parent, alone=True):
            if unless_since is not None and path.stat().st_mtime >= unless_since.timestamp():
                return False
            path.unlink()
    except FileNotFoundError:
        pass
    return True


def stored_in(folder: Path) -> list[StoredBlob]:
    """Return the blobs of one of the folders in which files lie; what is none is passed over."""
    with folder_errors():
        found = [_stored(path) for path in sorted(folder.iterdir())] if folder.is_dir() else []
    return [blob for blob in found if blob]


def remove_leftovers(root: Path) -> None:
    """Remove files that were never completed, once they are older than a day."""
    with suppress(FileNotFoundError), os.scandir(root / INCOMING) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if time.time() - entry.stat().st_mtime > DAY_SECONDS:
                    Path(entry).unlink()


@contextmanager
def folder_errors(digest: Digest | None = None) -> Iterator[None]:
    """Turn what the file system raises into errors of this project."""
    try:
        yield
    except FileNotFoundError as error:
        if digest is None:
            raise Unavailable(f"The folder of the blobs is gone: {error.filename}.") from error
        raise NotFound("blob", digest) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Unavailable("The disk is full.", step="free some space, then try again") from error
        raise Unavailable(f"The folder of the blobs does not answer: {error.strerror or error}.") from error


def _is_refreshed(path: Path) -> bool:
    """Give a file the time of now; return False if it was removed meanwhile."""
    try:
        with _locked(path.parent.parent, alone=False):
            os.utime(path)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _locked(root: Path, *, alone: bool) -> Iterator[None]:
    """Hold the folder of all files: whoever gives one of them a new time or place, or alone, whoever removes one.

    It is held between processes too, by the folder itself.
    """
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(folder)


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _stored(path: Path) -> StoredBlob | None:
    digest = f"sha256:{path.name}"
    try:
        if path != place(path.parent.parent, digest):
            return None
        found = path.stat()
    except (Invalid, FileNotFoundError):
        # A file that is no blob, or one that was removed meanwhile.
        return None
    return StoredBlob(digest, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))
