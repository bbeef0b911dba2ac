"""The adapters that each contract suite runs on, by name."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from schemas.schema import Digest
from storage.folder import FolderBlobs
from storage.local_bus import LocalBus
from storage.ports import Blobs, Bus, Database, Documents
from storage.sqlite import open_database
from tests.contract.things import Thing


class Shelf(NamedTuple):
    """A home for blobs, and a way to damage what is in it behind its back."""

    blobs: Blobs
    damage: Callable[[Digest], Awaitable[None]]


def required(server: str, *, install: str, found: bool) -> None:
    """Skip the test where a server is missing, saying how it is installed; fail instead where CI promised it."""
    if found:
        return
    message = f"no {server} here; to install: {install}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[Database]:
    async with open_database(folder / "documents.sqlite") as database:
        yield database


@asynccontextmanager
async def folder_shelf(folder: Path) -> AsyncIterator[Shelf]:
    async def damage(digest: Digest) -> None:
        name = digest.removeprefix("sha256:")
        path = folder / name[-2:] / name
        data = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])

    yield Shelf(FolderBlobs(folder), damage)


@asynccontextmanager
async def local(_: Path) -> AsyncIterator[Bus]:
    yield LocalBus()


# An adapter of a server calls `required` first.
DATABASES: Final[Mapping[str, Callable[[Path], AbstractAsyncContextManager[Database]]]] = {"sqlite": sqlite}
SHELVES: Final[Mapping[str, Callable[[Path], AbstractAsyncContextManager[Shelf]]]] = {"folder": folder_shelf}
BUSES: Final[Mapping[str, Callable[[Path], AbstractAsyncContextManager[Bus]]]] = {"local": local}


@pytest.fixture(params=DATABASES)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with DATABASES[request.param](tmp_path) as database:
        yield database


@pytest.fixture
def things(database: Database) -> Documents[Thing]:
    return database.documents(Thing)


@pytest.fixture(params=SHELVES)
async def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shelf]:
    async with SHELVES[request.param](tmp_path / "blobs") as shelf:
        yield shelf


@pytest.fixture
def blobs(shelf: Shelf) -> Blobs:
    return shelf.blobs


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "picture.jpg"
    path.write_bytes(b"a picture")
    return path


@pytest.fixture(params=BUSES)
async def bus(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bus]:
    async with BUSES[request.param](tmp_path) as bus:
        yield bus
