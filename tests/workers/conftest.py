"""A worker to try things on."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.sqlite import open_database
from tests.workers.gpu_machine import FAKE, Machine
from tests.workers.life_bench import Before, Bench, Prepare


@pytest.fixture
async def prepare(tmp_path: Path) -> AsyncIterator[Prepare]:
    async with open_database(tmp_path / "ymir.db") as database:
        yield lambda handler: Bench(database, tmp_path, handler)


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Before:
    """Return what has something happen before the next call of a method, and only then."""

    def arrange(target: object, method: str, happens: Callable[[], Awaitable[None]]) -> None:
        called = getattr(target, method)

        async def call(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - those of any method
            monkeypatch.setattr(target, method, called)
            await happens()
            return await called(*arguments, **options)

        monkeypatch.setattr(target, method, call)

    return arrange


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
