"""A place to import into, and the processes that inspect images."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.workers.imports import Place, a_place
from workers.image_pool import ImagePool


@pytest.fixture(scope="module")
def pool() -> Iterator[ImagePool]:
    pool = ImagePool(processes=1)
    yield pool
    pool.close()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with a_place(tmp_path) as place:
        yield place
