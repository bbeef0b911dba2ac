"""A prefix of an S3 server as a source: its objects become the files of a folder, several at a time."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from errno import ENAMETOOLONG
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from minio import Minio
from minio.datatypes import Object
from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from schemas.errors import Invalid, Unavailable
from workers.importing.settings import ImportSettings, S3Server

Report = Callable[[float, str], None]

PIECE_BYTES: Final = 1 << 20
LISTED_TOGETHER: Final = 1_000
CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 30.0
TRIES: Final = 4

_MISSING: Final = frozenset({"NoSuchKey", "NoSuchBucket", "ResourceNotFound", "NoSuchObject"})
_FORBIDDEN: Final = {401, 403}
_NOT_FOUND: Final = 404
_MIB: Final = 1 << 20


async def fetch_prefix(
    address: str, folder: Path, *, server: str | None, settings: ImportSettings, progress: Report
) -> Path:
    """Return a folder with the objects below ``s3://bucket/prefix``, or the file of the one object of that name.

    Raise Invalid if no server that imports may read from has it, or for names and sizes that cannot be kept.
    """
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    name, found = _server_of(f"{bucket}/{prefix}", server, settings)
    shelf = _Shelf(_client(found, settings.s3_at_once), bucket, name)
    stopped = threading.Event()
    threads = ThreadPoolExecutor(settings.s3_at_once, thread_name_prefix="s3-import")
    try:
        return await _Fetching(shelf, folder, threads, stopped, settings, progress).all_of(prefix)
    finally:
        # The folder goes away afterwards: nobody writes into it from here, though some may be waiting for bytes.
        stopped.set()
        threads.shutdown(wait=False, cancel_futures=True)


def file_of(folder: Path, name: str, *, key: str) -> Path:
    """Return the file in a folder for an object of a name; raise Invalid for one that could lie outside."""
    if {"", ".", ".."} & set(name.split("/")) or "\0" in name:
        message = f"The object {key!r} has a name that no file can have."
        raise Invalid(message, step="Rename it, or import a part of the prefix.")
    return folder / name


def _server_of(place: str, server: str | None, settings: ImportSettings) -> tuple[str, S3Server]:
    whole = f"{place.rstrip('/')}/"
    parts = whole.split("/")[:-1]
    if {"", ".", ".."} & set(parts):
        message = f"The prefix {place!r} has an empty part, or one of dots alone."
        raise Invalid(message, step="Give s3://bucket/folder/folder.")
    fitting = {
        name: known
        for name, known in settings.import_s3.items()
        if server in {None, name} and any(whole.startswith(f"{one.rstrip('/')}/") for one in known.prefixes)
    }
    if len(fitting) > 1:
        message = f"Several S3 servers have the prefix {place!r}: {', '.join(sorted(fitting))}."
        raise Invalid(message, step="Name one of them as the source's server.")
    if not fitting:
        of = "no S3 server" if server is None else f"the S3 server {server!r}"
        message = f"Imports may read {place!r} from {of}."
        raise Invalid(message, step="Have it added to YMIR_IMPORT_S3, or upload the files.")
    return next(iter(fitting.items()))


def _client(server: S3Server, connections: int) -> Minio:
    parts = urlsplit(server.url)
    pool = PoolManager(
        maxsize=connections,
        retries=Retry(TRIES, backoff_factor=0.2, status_forcelist=range(500, 505)),
        timeout=Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
    )
    return Minio(
        parts.netloc,
        access_key=server.access_key,
        secret_key=server.secret_key.get_secret_value(),
        secure=parts.scheme == "https",
        region=server.region,
        http_client=pool,
    )


class _Shelf(NamedTuple):
    """A bucket of a server; its methods block."""

    client: Minio
    bucket: str
    server: str

    def listed(self, prefix: str) -> Iterator[Object]:
        """Yield the objects below a prefix; each step may ask the server."""
        with self.errors(prefix):
            yield from self.client.list_objects(self.bucket, prefix=prefix, recursive=True)

    def stat(self, key: str) -> Object:
        """Return what the server knows of an object; raise Invalid if there is none."""
        with self.errors(key):
            return self.client.stat_object(self.bucket, key)

    def fetch(self, key: str, to: Path, *, size: int, stopped: threading.Event) -> None:
        """Write an object into a file; raise Unavailable if it has another size than it was listed with."""
        have = 0
        with self.errors(key), closing(self.client.get_object(self.bucket, key)) as response:
            _go_on_unless(stopped)
            with to.open("wb") as file:
                for piece in response.stream(PIECE_BYTES):
                    have += len(piece)
                    if have > size:
                        break
                    _go_on_unless(stopped)
                    file.write(piece)
        if have != size:
            message = f"The object {key!r} has another size than the {size} bytes it was listed with."
            raise Unavailable(message, step="Import it when nobody writes to it.")

    @contextmanager
    def errors(self, key: str) -> Iterator[None]:
        """Turn what the client raises into errors of this project."""
        try:
            yield
        except S3Error as error:
            raise self._meaning(key, f"{error.code}", error.response.status) from error
        except ServerError as error:
            raise self._meaning(key, "", error.status_code) from error
        except InvalidResponseError as error:
            missing, denied = "Response code: 404" in str(error), "Response code: 403" in str(error)
            raise self._meaning(key, "", _NOT_FOUND if missing else 403 if denied else 0) from error
        except HTTPError as error:
            message = f"The S3 server {self.server!r} does not answer: {type(error).__name__}."
            raise Unavailable(message, step="Check that it is there.") from error

    def _meaning(self, key: str, code: str, status: int) -> Exception:
        if code in _MISSING or status == _NOT_FOUND:
            message = f"There is nothing at s3://{self.bucket}/{key} on the S3 server {self.server!r}."
            return Invalid(message, step="Check the bucket and the prefix.")
        if status in _FORBIDDEN:
            message = f"The S3 server {self.server!r} does not let us read s3://{self.bucket}/{key}: {code or status}."
            return Invalid(message, step="Check its keys in YMIR_IMPORT_S3, and what they are allowed to do.")
        return Unavailable(f"The S3 server {self.server!r} cannot do that now: {code or status}.")


class _Fetching:
    """One prefix on its way into a folder."""

    def __init__(
        self,
        shelf: _Shelf,
        folder: Path,
        threads: ThreadPoolExecutor,
        stopped: threading.Event,
        settings: ImportSettings,
        progress: Report,
    ) -> None:
        self._shelf = shelf
        self._folder = folder
        self._threads = threads
        self._stopped = stopped
        self._settings = settings
        self._progress = progress
        self._listed = self._listed_bytes = 0
        self._done = self._done_bytes = 0

    async def all_of(self, prefix: str) -> Path:
        """Fetch everything below a prefix; where there is nothing, the object of that name."""
        below = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
        objects = self._shelf.listed(below)
        while some := await asyncio.to_thread(lambda: list(islice(objects, LISTED_TOGETHER))):
            files = [one for one in some if one.object_name and not one.object_name.endswith("/")]
            await asyncio.gather(*(self._fetch(one, (one.object_name or "").removeprefix(below)) for one in files))
        if self._listed:
            return self._folder
        found = await asyncio.to_thread(self._shelf.stat, prefix.rstrip("/"))
        name = prefix.rstrip("/").rpartition("/")[2]
        await self._fetch(found, name)
        return self._folder / name

    async def _fetch(self, found: Object, name: str) -> None:
        key, size = found.object_name or "", found.size or 0
        self._count(key, size)
        await asyncio.get_running_loop().run_in_executor(self._threads, self._fetched, key, name, size)
        self._done += 1
        self._done_bytes += size
        told = f"fetching: {self._done} objects, {self._done_bytes // _MIB} MiB"
        # How many there are is not known before the last was listed.
        self._progress(self._done / (self._done + LISTED_TOGETHER), told)

    def _count(self, key: str, size: int) -> None:
        self._listed += 1
        self._listed_bytes += size
        limits = self._settings
        if self._listed > limits.archive_members:
            message = f"There are more than {limits.archive_members} objects below the prefix, with {key!r}."
            raise Invalid(message, step="Import a part of it, or have YMIR_ARCHIVE_MEMBERS raised.")
        if self._listed_bytes > limits.download_bytes:
            message = f"The objects below the prefix have more than {limits.download_bytes} bytes, with {key!r}."
            raise Invalid(message, step="Import a part of it, or have YMIR_DOWNLOAD_BYTES raised.")

    def _fetched(self, key: str, name: str, size: int) -> None:
        target = file_of(self._folder, name, key=key)
        _go_on_unless(self._stopped)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._shelf.fetch(key, target, size=size, stopped=self._stopped)
        except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
            message = f"The name of the object {key!r} is that of a file and of a folder at once."
            raise Invalid(message, step="Rename one of them.") from error
        except OSError as error:
            if error.errno != ENAMETOOLONG:
                raise
            message = f"The name of the object {key[:200]!r} is too long for a file."
            raise Invalid(message, step="Rename it.") from error


class _StoppedError(Exception):
    """The fetching is to end."""


def _go_on_unless(stopped: threading.Event) -> None:
    if stopped.is_set():
        raise _StoppedError
