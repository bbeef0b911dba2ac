"""How often the sweep looks: seldom if that takes long, and soon again after an outage."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import Unavailable
from storage.sqlite import open_database
from tests.workers.life_bench import SECONDS, Bench, nothing
from workers import ringer

HELD_UP_SECONDS = 20.0
LOOKS = 5


class Looks:
    """Counts looks, each of which takes long by the sweep's own clock."""

    def __init__(self, bench: Bench, error: Exception | None) -> None:
        self.count = 0
        self.enough = asyncio.Event()
        self._bench = bench
        self._error = error

    async def __call__(self, *_: object, **__: object) -> Any:  # noqa: ANN401 - in place of any method
        self.count += 1
        self._bench.monotonic.seconds += HELD_UP_SECONDS
        if self.count == LOOKS:
            self.enough.set()
        if self._error is not None:
            raise self._error


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_database(tmp_path / "ymir.db") as database:
        bench = Bench(database, tmp_path, nothing)
        bench.sweep._settings = bench.settings.model_copy(update={"sweep_seconds": 0.01})
        yield bench


async def looked_often(bench: Bench, looks: Looks) -> bool:
    running = asyncio.create_task(bench.sweep.run())
    try:
        await asyncio.wait_for(looks.enough.wait(), SECONDS / 5)
    except TimeoutError:
        return False
    finally:
        running.cancel()
    return True


async def test_an_outage_of_the_database_does_not_delay_the_sweeps_after_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Looks(bench, Unavailable("The database is away."))
    monkeypatch.setattr(bench.sweep, "sweep", looks)

    assert await looked_often(bench, looks)


async def test_a_bus_that_is_away_does_not_delay_the_sweeps_after_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.accept()
    monkeypatch.setattr(ringer, "FIRST_RING_SECONDS", 0.0)
    looks = Looks(bench, Unavailable("The broker is away."))
    monkeypatch.setattr(bench.bus, "ring", looks)

    assert await looked_often(bench, looks)


async def test_a_sweep_that_takes_long_is_made_seldom(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.accept()
    monkeypatch.setattr(ringer, "FIRST_RING_SECONDS", 0.0)
    looks = Looks(bench, None)
    monkeypatch.setattr(bench.bus, "ring", looks)

    assert not await looked_often(bench, looks)
    assert looks.count == 1
