"""Blobs as objects of an S3 bucket: kept once, refreshed, compared with their name; blocks."""

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final, cast
from uuid import uuid4

from minio import Minio
from minio.commonconfig import REPLACE, CopySource
from minio.datatypes import Object
from urllib3 import BaseHTTPResponse

from schemas.errors import Invalid, NotFound
from schemas.schema import Digest, digest_of
from storage.blob_files import PIECE_BYTES, RESTORE, copy, place
from storage.blob_writer import Answer, Content, source_errors
from storage.metrics import READ, WRITTEN
from storage.ports import Source
from storage.s3_client import Address, s3_errors
from storage.s3_shelves import Lying, Shelves

# Up to here a file is read into memory and sent by one request; beyond, in parts of this size.
PART_BYTES: Final = 8 << 20
AGE: Final = timedelta(days=1)


class Objects:
    """The objects of a bucket that are blobs."""

    def __init__(self, client: Minio, address: Address) -> None:
        self._client = client
        self._bucket = address.bucket
        self._root = Path(address.prefix)
        # What was found damaged here is written anew by the next put of the same bytes.
        self._damaged: set[Digest] = set()
        self._shelves = Shelves(self._below)

    def name(self, digest: Digest) -> str:
        """Return the name of a blob's object, under the prefix; raise Invalid if it is no digest."""
        return place(self._root, digest).as_posix()

    def keep_all(self, sources: Sequence[Source]) -> list[Answer]:
        """Keep several contents one after the other and answer for each."""
        return [self._answer(source) for source in sources]

    def keep(self, source: Source) -> Content:
        """Keep some bytes or a file; raise Invalid if the file cannot be read, changes, or has another digest."""
        with _opened(source) as (file, content):
            if source.digest not in {None, content.digest}:
                raise Invalid(f"It has the digest {content.digest}, not {source.digest}.", step="send it again")
            if not self._has(content):
                self._send(file, content, source.media_type)
        return content

    def stat(self, digest: Digest) -> Object:
        """Return what the server knows of a blob; raise NotFound."""
        name = self.name(digest)
        with s3_errors(digest):
            return self._client.stat_object(self._bucket, name)

    def open(self, digest: Digest, *, start: int = 0, length: int = 0) -> BaseHTTPResponse:
        """Return a blob, or a part of it, to be read and closed; a length of 0 is all that follows."""
        name = self.name(digest)
        try:
            with s3_errors(digest):
                return self._client.get_object(self._bucket, name, offset=start, length=length)
        except NotFound:
            self._shelves.forget(name)
            raise

    def read(self, digest: Digest) -> bytes:
        """Return all bytes of a blob; raise Invalid if they are others."""
        with closing(self.open(digest)) as response, s3_errors(digest):
            data = response.read()
        READ.inc(len(data))
        self.check(digest, found=digest_of(data))
        return data

    def fetch(self, digest: Digest, to: Path) -> None:
        """Write a blob into a file, which appears complete or not at all."""
        with closing(self.open(digest)) as response:
            to.parent.mkdir(parents=True, exist_ok=True)
            beside, found = to.with_name(f".{uuid4().hex}"), hashlib.sha256()
            try:
                with beside.open("xb") as file, s3_errors(digest):
                    for piece in response.stream(PIECE_BYTES):
                        READ.inc(len(piece))
                        found.update(piece)
                        file.write(piece)
                self.check(digest, found=f"sha256:{found.hexdigest()}")
                beside.replace(to)
            finally:
                beside.unlink(missing_ok=True)

    def check(self, digest: Digest, *, found: Digest) -> None:
        """Raise Invalid, and remember it, unless the bytes of a blob were found to have the digest that names it."""
        if found != digest:
            self._damaged.add(digest)
            raise Invalid(f"The blob {digest} is damaged: its bytes have the digest {found}.", step=RESTORE)

    def listed(self) -> Iterator[Object]:
        """Return every object under the prefix; each step may ask the server."""
        return self._below(f"{self._root.as_posix()}/" if self._root.name else "")

    def remove(self, digest: Digest, *, unless_since: datetime | None = None) -> bool:
        """Forget a blob, unless it was put or refreshed since; return whether it is gone."""
        name = self.name(digest)
        with suppress(NotFound), s3_errors(digest):
            if unless_since is not None and _is_since(self.stat(digest), unless_since):
                return False
            self._client.remove_object(self._bucket, name)
        self._shelves.forget(name)
        return True

    def link(self, digest: Digest, *, seconds: int, media_type: str) -> str:
        """Return a link to a blob that works without a key for some seconds; nothing is asked of the server."""
        headers: dict[str, str | list[str] | tuple[str]] = {"response-content-type": media_type}
        expires = timedelta(seconds=seconds)
        return self._client.presigned_get_object(self._bucket, self.name(digest), expires, response_headers=headers)

    def _answer(self, source: Source) -> Answer:
        try:
            return self.keep(source)
        except Exception as error:  # noqa: BLE001 - it is raised where this source was to be kept
            return error

    def _has(self, content: Content) -> bool:
        """Return whether an object need not be sent again, and refresh one older than a day."""
        if content.digest in self._damaged:
            return False
        with suppress(LookupError):
            lying = self._shelves.find(self.name(content.digest))
            if lying is None or lying.size != content.size:
                return False
            if _is_young(lying.at):
                return True
        try:
            found = self.stat(content.digest)
        except NotFound:
            return False
        if found.size != content.size:
            return False
        return found.last_modified is None or _is_young(found.last_modified) or self._is_refreshed(found, content)

    def _below(self, prefix: str) -> Iterator[Object]:
        with s3_errors(), suppress(NotFound):
            yield from self._client.list_objects(self._bucket, prefix=prefix, recursive=True)

    def _is_refreshed(self, found: Object, content: Content) -> bool:
        name = self.name(content.digest)
        kept = {"Content-Type": found.content_type or "application/octet-stream"}
        # A copy onto itself has to change something: its metadata is given anew.
        source = CopySource(self._bucket, name)
        with s3_errors(content.digest):
            try:
                self._client.copy_object(self._bucket, name, source, metadata=dict(kept), metadata_directive=REPLACE)
            except ValueError:
                # An answer without what the client looks for: whatever was done, the bytes are sent again.
                return False
        return True

    def _send(self, file: BinaryIO, content: Content, media_type: str) -> None:
        try:
            self._put(file, content, media_type)
        except NotFound:
            # What is not there to be written to is the bucket.
            with s3_errors():
                self._client.make_bucket(self._bucket)
            file.seek(0)
            self._put(file, content, media_type)
        self._damaged.discard(content.digest)
        self._shelves.put(self.name(content.digest), Lying(content.size, datetime.now(UTC)))
        WRITTEN.inc(content.size)

    def _put(self, file: BinaryIO, content: Content, media_type: str) -> None:
        checked = cast("BinaryIO", _Checked(file, content))
        name = self.name(content.digest)
        with s3_errors(content.digest):
            self._client.put_object(
                self._bucket, name, checked, content.size, content_type=media_type, part_size=PART_BYTES
            )


def _is_young(at: datetime) -> bool:
    return datetime.now(UTC) - at <= AGE


def _is_since(found: Object, instant: datetime) -> bool:
    return found.last_modified is None or found.last_modified >= instant


class _Checked(io.RawIOBase):
    """A file as it is sent: its end is not handed out unless it still is what it was."""

    def __init__(self, file: BinaryIO, content: Content) -> None:
        super().__init__()
        self._file = file
        self._content = content
        self._found = hashlib.sha256()
        self._size = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        self._found.update(data)
        self._size += len(data)
        is_end = self._size >= self._content.size or not data
        if is_end and f"sha256:{self._found.hexdigest()}" != self._content.digest:
            raise Invalid("The file changed while it was sent.", step="send it again when nobody writes to it")
        return data


@contextmanager
def _opened(source: Source) -> Iterator[tuple[BinaryIO, Content]]:
    """Yield what is to be kept, at its beginning, and what was found of it by reading it once."""
    if isinstance(source.content, bytes):
        yield io.BytesIO(source.content), Content(digest_of(source.content), len(source.content))
        return
    with source_errors(source.content):
        file: BinaryIO = source.content.open("rb")
    with file:
        with source_errors(source.content):
            data = file.read(PART_BYTES)
            if len(data) < PART_BYTES:
                sent: BinaryIO = io.BytesIO(data)
                content = Content(digest_of(data), len(data))
            else:
                file.seek(0)
                sent, content = file, Content(*copy(file, None))
                file.seek(0)
        yield sent, content
