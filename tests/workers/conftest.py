"""A worker to try things on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.sqlite import open_database
from tests.workers.life_bench import Bench, Prepare


@pytest.fixture
async def prepare(tmp_path: Path) -> AsyncIterator[Prepare]:
    async with open_database(tmp_path / "ymir.db") as database:
        yield lambda handler: Bench(database, tmp_path, handler)
