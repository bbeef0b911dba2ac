"""The adapters that each contract suite runs on, by name."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import pytest
from _pytest.mark import ParameterSet

from schemas.schema import Digest
from storage.folder import FolderBlobs
from storage.local_bus import LocalBus
from storage.mongo import open_database as open_mongo
from storage.ports import Blobs, Bus, Database, Documents
from storage.sqlite import open_database
from tests.contract.things import Thing
from tests.servers.mongod import another_database, drop_database

T = TypeVar("T")


class Shelf(NamedTuple):
    """A home for blobs, and a way to damage what is in it behind its back."""

    blobs: Blobs
    damage: Callable[[Digest], Awaitable[None]]


@asynccontextmanager
async def sqlite(folder: Path, _: pytest.FixtureRequest) -> AsyncIterator[Database]:
    async with open_database(folder / "documents.sqlite") as database:
        yield database


@asynccontextmanager
async def mongo(_: Path, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    url = another_database(request.getfixturevalue("mongo_url"))
    async with open_mongo(url) as database:
        yield database
    await asyncio.to_thread(drop_database, url)


@asynccontextmanager
async def folder_shelf(folder: Path, _: pytest.FixtureRequest) -> AsyncIterator[Shelf]:
    async def damage(digest: Digest) -> None:
        name = digest.removeprefix("sha256:")
        path = folder / name[-2:] / name
        data = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])

    yield Shelf(FolderBlobs(folder), damage)


@asynccontextmanager
async def local(_: Path, __: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    yield LocalBus()


Row = Callable[[Path, pytest.FixtureRequest], AbstractAsyncContextManager[T]]

# A row of a server takes it from a session's fixture, which starts it: `make check` leaves such rows out.
DATABASES: Final[Mapping[str, Row[Database]]] = {"sqlite": sqlite, "mongo": mongo}
SHELVES: Final[Mapping[str, Row[Shelf]]] = {"folder": folder_shelf}
BUSES: Final[Mapping[str, Row[Bus]]] = {"local": local}
IN_PROCESS: Final = frozenset({"sqlite", "folder", "local"})


def rows(adapters: Mapping[str, object]) -> list[ParameterSet]:
    return [pytest.param(name, marks=() if name in IN_PROCESS else pytest.mark.slow) for name in adapters]


@pytest.fixture(params=rows(DATABASES))
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with DATABASES[request.param](tmp_path, request) as database:
        yield database


@pytest.fixture
def things(database: Database) -> Documents[Thing]:
    return database.documents(Thing)


@pytest.fixture(params=rows(SHELVES))
async def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shelf]:
    async with SHELVES[request.param](tmp_path / "blobs", request) as shelf:
        yield shelf


@pytest.fixture
def blobs(shelf: Shelf) -> Blobs:
    return shelf.blobs


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "picture.jpg"
    path.write_bytes(b"a picture")
    return path


@pytest.fixture(params=rows(BUSES))
async def bus(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bus]:
    async with BUSES[request.param](tmp_path, request) as bus:
        yield bus
