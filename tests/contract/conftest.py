"""The adapters that each contract suite runs on, by name."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple, TypeVar
from uuid import uuid4

import pytest
from _pytest.mark import ParameterSet

from schemas.places import Places
from schemas.schema import Digest, new_id
from storage.folder import FolderBlobs
from storage.folder_placed import PlacedBlobs
from storage.local_bus import LocalBus
from storage.mongo import open_database as open_mongo
from storage.ports import Blobs, Bus, Database, Documents
from storage.rabbitmq import open_bus
from storage.s3 import open_blobs
from storage.sqlite import open_database
from tests.contract.things import Thing
from tests.servers.mongod import another_database, drop_database
from tests.servers.rabbitmq import delete_bus
from tests.servers.s3 import damage_object

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
async def placed_shelf(folder: Path, _: pytest.FixtureRequest) -> AsyncIterator[Shelf]:
    """Three folders in one place: the data folder's own, and those for images and for packages."""
    roots = [folder / name for name in ("main", "images", "models")]
    for root in roots:
        root.mkdir(parents=True)
    places = Places(repository=new_id(), images=(roots[1],), models=(roots[2],))

    async def damage(digest: Digest) -> None:
        name = digest.removeprefix("sha256:")
        path = next(path for root in roots if (path := root / name[-2:] / name).exists())
        data = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])

    yield Shelf(PlacedBlobs(roots[0], places=lambda: places), damage)


@asynccontextmanager
async def s3_shelf(_: Path, request: pytest.FixtureRequest) -> AsyncIterator[Shelf]:
    settings = request.getfixturevalue("s3_settings")
    url = f"{settings['YMIR_S3_URL']}/{uuid4().hex}"
    keys = {"access_key": settings["YMIR_S3_ACCESS_KEY"], "secret_key": settings["YMIR_S3_SECRET_KEY"]}
    async with open_blobs(url, **keys) as blobs:
        yield Shelf(blobs, lambda digest: asyncio.to_thread(damage_object, url, keys, digest))
        async for blob in blobs.list():
            await blobs.remove(blob.digest)


@asynccontextmanager
async def local(_: Path, __: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    yield LocalBus()


@asynccontextmanager
async def rabbitmq(_: Path, request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    url, name = request.getfixturevalue("amqp_url"), f"test-{uuid4().hex}"
    async with open_bus(url, name=name) as bus:
        yield bus
    await delete_bus(url, name)


Row = Callable[[Path, pytest.FixtureRequest], AbstractAsyncContextManager[T]]

# A row of a server takes it from a session's fixture, which starts it: `make check` leaves such rows out.
DATABASES: Final[Mapping[str, Row[Database]]] = {"sqlite": sqlite, "mongo": mongo}
SHELVES: Final[Mapping[str, Row[Shelf]]] = {"folder": folder_shelf, "placed": placed_shelf, "s3": s3_shelf}
BUSES: Final[Mapping[str, Row[Bus]]] = {"local": local, "rabbitmq": rabbitmq}
IN_PROCESS: Final = frozenset({"sqlite", "folder", "placed", "local"})


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
