"""What came over the bus and is none of ours is kept once, whatever fails meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from typing_extensions import override

from schemas.blobs import BlobRef
from schemas.errors import Unavailable
from schemas.letters import PREVIEW_BYTES, DeadLetter, ForeignMessage
from storage.folder import FolderBlobs
from storage.local_bus import LocalBus
from storage.ports import Database, LetterDelivery
from storage.sqlite import open_database
from tests.factories import NOON
from workers.dead_letters import DeadLetters
from workers.metrics import DEAD_LETTERS

SECONDS = 10.0


class Delivered:
    def __init__(self, message: ForeignMessage) -> None:
        self.message = message
        self.acknowledged = asyncio.Event()

    async def acknowledge(self) -> None:
        self.acknowledged.set()


class StrangersBus(LocalBus):
    """A bus over which strangers send; what is not acknowledged by the end of listening comes again."""

    def __init__(self) -> None:
        super().__init__()
        self.letters: asyncio.Queue[Delivered] = asyncio.Queue()

    async def send(self, message: ForeignMessage) -> asyncio.Event:
        delivered = Delivered(message)
        await self.letters.put(delivered)
        return delivered.acknowledged

    @override
    @asynccontextmanager
    async def dead_letters(self) -> AsyncIterator[AsyncIterator[LetterDelivery]]:
        taken: list[Delivered] = []

        async def letters() -> AsyncIterator[LetterDelivery]:
            while True:
                taken.append(await self.letters.get())
                yield taken[-1]

        try:
            yield letters()
        finally:
            for delivered in taken:
                if not delivered.acknowledged.is_set():
                    await self.letters.put(delivered)


class World(NamedTuple):
    """Stores, a bus, and as many workers as are asked for."""

    database: Database
    blobs: FolderBlobs
    bus: StrangersBus

    @asynccontextmanager
    async def keeping(self, workers: int = 1) -> AsyncIterator[None]:
        jobs = [
            asyncio.ensure_future(
                DeadLetters(database=self.database, blobs=self.blobs, bus=self.bus, clock=lambda: NOON).run()
            )
            for _ in range(workers)
        ]
        try:
            yield
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.wait(jobs)

    async def kept(self, *messages: ForeignMessage, workers: int = 1) -> tuple[DeadLetter, ...]:
        """Return what there is once all the messages are acknowledged."""
        async with self.keeping(workers), asyncio.timeout(SECONDS):
            for acknowledged in [await self.bus.send(message) for message in messages]:
                await acknowledged.wait()
        return (await self.database.documents(DeadLetter).list()).items


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr("workers.dead_letters.AGAIN_SECONDS", 0.01)
    async with open_database(tmp_path / "ymir.db") as database:
        yield World(database, FolderBlobs(tmp_path / "blobs"), StrangersBus())


def a_message(body: bytes = b"not JSON") -> ForeignMessage:
    return ForeignMessage("ymir.tasks", "task.sample.data", body, "text/plain", "{}", 0, "ymir.tasks.data", "rejected")


@pytest.mark.parametrize("body", [b"", b"not JSON", b"\x00\xff" * 3_000_000], ids=["empty", "text", "binary"])
async def test_a_message_is_kept_with_its_body_and_where_it_was_sent(world: World, body: bytes) -> None:
    [letter] = await world.kept(a_message(body))

    assert letter.message(await world.blobs.get(letter.body.digest)) == ForeignMessage(
        "ymir.tasks", "task.sample.data", body, "text/plain"
    )
    assert (letter.queue, letter.reason, letter.came_at, letter.times) == ("ymir.tasks.data", "rejected", NOON, 1)
    assert letter.preview == body[:PREVIEW_BYTES].decode(errors="replace")


async def test_the_same_message_again_is_the_same_letter_and_counted(world: World) -> None:
    before = DEAD_LETTERS._value.get()

    [letter] = await world.kept(*[a_message()] * 3)

    assert letter.times == 3
    assert DEAD_LETTERS._value.get() == before + 3


async def test_workers_that_keep_the_same_message_at_once_count_it_each(world: World) -> None:
    other = a_message()._replace(routing_key="task.merge.data")

    letters = await world.kept(*[a_message()] * 20, *[other] * 20, a_message(b"another"), workers=5)

    assert sorted(letter.times for letter in letters) == [1, 20, 20]


@pytest.mark.parametrize("error", [Unavailable("The store is away."), ZeroDivisionError()], ids=["away", "bug"])
@pytest.mark.parametrize("call", ["put", "add"])
async def test_a_message_that_cannot_be_kept_now_is_kept_later(
    world: World, monkeypatch: pytest.MonkeyPatch, call: str, error: Exception
) -> None:
    failing_twice(monkeypatch, world.blobs if call == "put" else world.database.documents(DeadLetter), call, error)

    [letter] = await world.kept(a_message())

    assert letter.times == 1


async def test_a_bus_that_is_away_is_listened_to_when_it_is_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_twice(monkeypatch, world.bus.letters, "get", Unavailable("The broker is away."))

    [letter] = await world.kept(a_message())

    assert letter.times == 1


def failing_twice(monkeypatch: pytest.MonkeyPatch, subject: object, name: str, error: Exception) -> None:
    """Have the first two calls of a method fail."""
    call: Callable[..., Awaitable[BlobRef]] = getattr(subject, name)
    left = [error, error]

    async def fail(*args: object) -> object:
        if left:
            raise left.pop()
        return await call(*args)

    monkeypatch.setattr(subject, name, fail)
