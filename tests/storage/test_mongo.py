"""What only MongoDB does: it goes away, comes back, and refuses strangers."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import Conflict, Invalid, Unavailable
from storage.mongo import open_database
from storage.mongo_forms import indexes, to_mongo
from tests.contract.things import Thing, a_thing
from tests.servers import mongod
from tests.servers.found import MONGO, required
from tests.servers.process import ServerProcess, free_port

Server = tuple[ServerProcess, str]
SECONDS = 60


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    required(MONGO.name, install=MONGO.install, found=mongod.program() is not None)
    with mongod.running(tmp_path / "mongod") as (process, settings):
        yield process, settings[MONGO.setting]


def test_null_fields_are_absent_and_dots_are_flat() -> None:
    thing = a_thing(label=None, depth={"metres": 3})

    stored = to_mongo(thing)

    assert stored["@depth/metres"] == 3
    assert "@label" not in stored
    assert {index.document["name"] for index in indexes(Thing)} >= {"depth.metres", "unique group+label"}


async def test_a_server_that_is_away_is_unavailable_within_seconds() -> None:
    async with open_database(f"mongodb://127.0.0.1:{free_port()}/ymir") as database:
        async with asyncio.timeout(10):
            with pytest.raises(Unavailable, match="MongoDB does not answer"):
                await database.documents(Thing).get("anything")


@pytest.mark.parametrize("url", ["http://127.0.0.1", "mongodb://", "mongodb://host:port/"])
async def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="YMIR_MONGO_URL"):
        async with open_database(url):
            pass


async def test_a_client_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YMIR_MONGO_CLIENT", "mongoose")

    with pytest.raises(Invalid, match="mongoose"):
        async with open_database("mongodb://127.0.0.1/ymir"):
            pass


@pytest.mark.slow
async def test_what_was_kept_outlives_a_killed_server(server: Server) -> None:
    process, url = server
    given = [a_thing(label=str(number)) for number in range(200)]
    async with open_database(url) as database:
        things = database.documents(Thing)
        await things.add_many(given)

        await asyncio.to_thread(process.kill)
        with pytest.raises(Unavailable):
            await things.get(given[0].id)
        await asyncio.to_thread(process.start)

        async with asyncio.timeout(SECONDS):
            assert await things.count() == 200
            with pytest.raises(Conflict):
                await things.add(a_thing(label="7"))


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_writer_that_is_told_unavailable_loses_nothing_by_trying_again(server: Server) -> None:
    process, url = server
    thing = a_thing(rank=0)
    async with open_database(url) as database:
        things = database.documents(Thing)
        await things.add(thing)

        async def count_up() -> None:
            while True:
                try:
                    now = await things.get(thing.id)
                    if now.rank == 300:
                        return
                    await things.replace(now.successor(rank=(now.rank or 0) + 1), was=now)
                except (Conflict, Unavailable):
                    continue

        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(count_up())
            await asyncio.to_thread(process.kill)
            await asyncio.to_thread(process.start)

        found = await things.get(thing.id)

    assert (found.rank, found.generation) == (300, 300)
