"""What an administrator does to the stores themselves: collect garbage, and back up a data folder."""

import asyncio
import fcntl
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import Console

from client.data_blobs import own_blobs_of, roots_of
from client.data_folder import BLOBS, DOCUMENTS, owned
from client.data_folder import LOCK as OWNER
from client.secret_files import ADMIN_KEY, LINK_KEY
from schemas.errors import Invalid, Unavailable
from schemas.schema import Digest, Schema
from storage.blob_files import place
from storage.clock import utc_now
from storage.collection.collect import Collected, collect
from storage.collection.marks import Watch
from storage.folder import FolderBlobs
from storage.ports import Blobs, Database, StoredBlob
from storage.production import open_stores
from storage.settings import StoreSettings, read_settings
from storage.sqlite import open_database
from storage.sqlite_backup import back_up as back_up_documents

LOCK: Final = "admin.lock"
COPIED_TOGETHER: Final = 128
TOLD_SECONDS: Final = 0.2


class Stores(NamedTuple):
    """The stores that are worked on."""

    database: Database
    blobs: Blobs


class BackedUp(Schema):
    """What a back-up holds by now."""

    blobs: int
    bytes: int


async def collect_garbage(data: Path | None, *, hidden_days: int, dry_run: bool) -> Collected:
    """Collect garbage in a data folder, which may be served meanwhile; without one, in the stores of the environment.

    Raise Invalid if there is no such folder, a setting is missing, or what is named cannot be read.
    """
    with _watching() as watch:
        async with _stores(data) as stores:
            return await collect(
                stores.database, stores.blobs, clock=utc_now, watch=watch, hidden_days=hidden_days, dry_run=dry_run
            )


async def back_up(data: Path, to: Path) -> BackedUp:
    """Copy a data folder, which may be served meanwhile, to where the service can be started from the copy.

    A folder that holds an earlier back-up gets what it lacks. Raise Invalid if there is no such folder, the other is
    something else, or (after everything else was copied) blobs are damaged.
    """
    _check(data)
    _check_target(data, to)
    with _watching() as watch, _alone(data), owned(to):
        # First: every blob that these documents name was written before they were, and is copied after them.
        await asyncio.to_thread(back_up_documents, data / DOCUMENTS, to / DOCUMENTS)
        await asyncio.to_thread(_copy_secrets, data, to)
        return await _copy_blobs(roots_of(data), to / BLOBS, watch=watch)


@asynccontextmanager
async def _stores(data: Path | None) -> AsyncIterator[Stores]:
    if data is None:
        async with open_stores(read_settings(StoreSettings)) as stores:
            yield Stores(stores.database, stores.blobs)
        return
    _check(data)
    with _alone(data):
        blobs = own_blobs_of(data, tell=Console(stderr=True, soft_wrap=True).print)
        async with open_database(data / DOCUMENTS) as database:
            yield Stores(database, blobs)


def _check(data: Path) -> None:
    if not (data / DOCUMENTS).is_file():
        message = f"There is no data of the service in the folder {data}."
        raise Invalid(message, step="Name the folder that `ymir serve --data` was given.")


def _check_target(data: Path, to: Path) -> None:
    if to.resolve().is_relative_to(data.resolve()):
        raise Invalid("A back-up cannot lie in the folder that it is of.", step="Name a folder elsewhere.")
    # Even one that was broken off at its beginning has the file of its owner.
    if to.exists() and not (to / OWNER).is_file() and any(to.iterdir()):
        message = f"The folder {to} holds something that is no back-up."
        raise Invalid(message, step="Name an empty folder, a new one, or that of an earlier back-up.")


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Keep other commands of administrators off a data folder: a collection may not remove what is to be copied."""
    with (data / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"Another `ymir admin` command works on the folder {data}."
            raise Unavailable(message, step="Wait until it has ended.") from None
        yield


def _copy_secrets(data: Path, to: Path) -> None:
    for name in (ADMIN_KEY, LINK_KEY):
        (to / name).unlink(missing_ok=True)
        (to / name).touch(mode=0o600)
        (to / name).write_text((data / name).read_text())


async def _copy_blobs(sources: Sequence[Path], to: Path, *, watch: Watch) -> BackedUp:
    copies, damaged, count, size = FolderBlobs(to), list[Digest](), 0, 0

    async def copy(source: Path, blobs: Sequence[StoredBlob]) -> None:
        nonlocal count, size
        puts = (copies.put_file(place(source, blob.digest), digest=blob.digest) for blob in blobs)
        for blob, answer in zip(blobs, await asyncio.gather(*puts, return_exceptions=True), strict=True):
            if isinstance(answer, Invalid):
                damaged.append(blob.digest)
            elif isinstance(answer, BaseException):
                raise answer
        count, size = count + len(blobs), size + sum(blob.size for blob in blobs)
        watch("blobs copied", count)

    for source in sources:
        waiting: list[StoredBlob] = []
        async for blob in FolderBlobs(source).list():
            waiting.append(blob)
            if len(waiting) == COPIED_TOGETHER:
                await copy(source, waiting)
                waiting = []
        await copy(source, waiting)
    if damaged:
        message = f"{len(damaged)} blobs are damaged and not in the back-up, the first of them {damaged[0]}."
        raise Invalid(message, step="Restore them from an earlier back-up, or import again; all else was copied.")
    return BackedUp(blobs=count, bytes=size)


@contextmanager
def _watching() -> Iterator[Watch]:
    """Yield what shows on a terminal how far the work is; elsewhere nothing is shown."""
    console, told_at = Console(stderr=True), 0.0
    with console.status("starting") as status:

        def watch(what: str, count: int) -> None:
            nonlocal told_at
            if console.is_terminal and time.monotonic() - told_at > TOLD_SECONDS:
                told_at = time.monotonic()
                status.update(f"{what}: {count:,}")

        yield watch
