"""Writing blobs into their folder: many small ones at a time, a large one by itself; blocks."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple
from uuid import uuid4

from schemas.errors import Invalid
from schemas.schema import Digest, digest_of
from storage.blob_files import (
    INCOMING,
    PIECE_BYTES,
    Staged,
    copy,
    discard,
    folder_errors,
    is_there,
    make_folders,
    place,
    settle,
    stage,
)
from storage.metrics import WRITTEN
from storage.ports import Source

SMALL_BYTES: Final = PIECE_BYTES


class Content(NamedTuple):
    """What was kept."""

    digest: Digest
    size: int


Answer = Content | Exception
"""What was kept, or why it was not."""


def raise_first(answers: Sequence[Answer]) -> None:
    """Raise the first error."""
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer


class BlobWriter:
    """What writes blobs into a folder; each of them is durable, or not there at all."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._has_folders = False

    def keep_small(self, sources: Sequence[Source]) -> list[Content | Exception | None]:
        """Keep several contents with one wait for the disk and answer for each; None: too large for that."""
        self._make_folders()
        staged: dict[Digest, Staged] = {}
        answers = [self._answer(source, staged) for source in sources]
        with folder_errors():
            settle(list(staged.values()))
        WRITTEN.inc(sum(one.size for one in staged.values()))
        return answers

    def keep_all(self, sources: Sequence[Source]) -> list[Answer]:
        """Keep several contents of any size and answer for each, the small ones with one wait for the disk."""
        answers = self.keep_small(sources)
        return [
            self._large(source) if answer is None else answer for answer, source in zip(answers, sources, strict=True)
        ]

    def keep_large(self, source: Source) -> Content:
        """Keep one content of any size, with little memory if it is a file."""
        self._make_folders()
        if isinstance(source.content, bytes):
            return self._keep_bytes(source.content, Content(digest_of(source.content), len(source.content)))
        return self._keep_file(source.content, source.digest)

    def _large(self, source: Source) -> Answer:
        try:
            return self.keep_large(source)
        except Exception as error:  # noqa: BLE001 - it is raised where this source was to be kept
            return error

    def _answer(self, source: Source, staged: dict[Digest, Staged]) -> Content | Exception | None:
        try:
            return self._stage_small(source, staged)
        except Exception as error:  # noqa: BLE001 - it is raised where this source was to be kept
            return error

    def _stage_small(self, source: Source, staged: dict[Digest, Staged]) -> Content | None:
        if (known := self._known(source)) is not None:
            return known
        data = _small_bytes(source.content)
        if data is None:
            return None
        content = Content(digest_of(data), len(data))
        _compare(source, content)
        # What a file is said to be was looked for above.
        looked_for = isinstance(source.content, Path) and source.digest is not None
        if content.digest not in staged and (looked_for or not self._has(content)):
            with folder_errors():
                staged[content.digest] = stage(self._root, content.digest, data)
        return content

    def _keep_bytes(self, data: bytes, content: Content) -> Content:
        if not self._has(content):
            with folder_errors():
                settle([stage(self._root, content.digest, data)])
                WRITTEN.inc(content.size)
        return content

    def _keep_file(self, path: Path, digest: Digest | None) -> Content:
        return self._known(Source(path, digest)) or self._take_in(path, digest)

    def _known(self, source: Source) -> Content | None:
        """Return what is kept already under the digest that is said, if it has as many bytes: it need not be read."""
        if source.digest is None or not isinstance(source.content, Path):
            return None
        with source_errors(source.content):
            content = Content(source.digest, source.content.stat().st_size)
        return content if self._has(content) else None

    def _take_in(self, path: Path, digest: Digest | None) -> Content:
        with folder_errors():
            beside = self._root / INCOMING / uuid4().hex
            target = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
        staged = Staged(target, beside, beside)
        try:
            content = self._copied(path, target)
            _compare(Source(path, digest), content)
        except BaseException:
            discard([staged])
            raise
        if self._has(content):
            discard([staged])
        else:
            with folder_errors():
                settle([staged._replace(place=place(self._root, content.digest))])
                WRITTEN.inc(content.size)
        return content

    def _copied(self, path: Path, target: int) -> Content:
        with source_errors(path):
            file = path.open("rb")
        with file, folder_errors():
            return Content(*copy(file, target))

    def _has(self, content: Content) -> bool:
        with folder_errors():
            return is_there(place(self._root, content.digest), size=content.size)

    def _make_folders(self) -> None:
        if not self._has_folders:
            with folder_errors():
                make_folders(self._root)
            self._has_folders = True


@contextmanager
def source_errors(path: Path) -> Iterator[None]:
    """Raise Invalid where a file that is to be kept cannot be read."""
    try:
        yield
    except OSError as error:
        raise Invalid(f"The file {path} cannot be read: {error.strerror or error}.", step="name a file") from error


def _small_bytes(content: bytes | Path) -> bytes | None:
    if isinstance(content, Path):
        with source_errors(content), content.open("rb") as file:
            # One more byte than a small file has tells the two apart, whatever the size was said to be.
            content = file.read(SMALL_BYTES + 1)
    return content if len(content) <= SMALL_BYTES else None


def _compare(source: Source, content: Content) -> None:
    if source.digest not in {None, content.digest}:
        what = source.content.name if isinstance(source.content, Path) else "content"
        raise Invalid(f"The {what} has the digest {content.digest}, not {source.digest}.", step="send it again")
