"""A worker to try things on."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage.sqlite import open_database
from tests.workers.gpu_machine import FAKE, Machine
from tests.workers.life_bench import Bench, Prepare


@pytest.fixture
async def prepare(tmp_path: Path) -> AsyncIterator[Prepare]:
    async with open_database(tmp_path / "ymir.db") as database:
        yield lambda handler: Bench(database, tmp_path, handler)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """Return a machine whose GPUs a test decides; until it does, there is no driver."""
    monkeypatch.syspath_prepend(FAKE)
    monkeypatch.setenv("FAKE_GPUS", str(tmp_path / "gpus.json"))
    real = sys.modules.pop("pynvml", None)
    yield Machine(tmp_path / "gpus.json")
    sys.modules.pop("pynvml", None)
    if real is not None:
        sys.modules["pynvml"] = real
