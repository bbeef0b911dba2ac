"""What tests of containers share: an engine, and an image that runs scripts."""

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from tests.deploy.docker_client import Docker
from tests.servers.executor_images import script_image
from tests.workers.executors.container_bench import Bench
from workers.executors.engine import Engine


@pytest.fixture(scope="session")
def engine(docker_settings: Mapping[str, str]) -> Iterator[Engine]:
    engine = Engine(docker_settings.get("DOCKER_HOST", ""))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def image(docker_settings: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    return script_image(Docker(docker_settings), tmp_path_factory.mktemp("image"))


@pytest.fixture
async def bench(engine: Engine, image: str, tmp_path: Path) -> AsyncIterator[Bench]:
    """Yield a bench; nothing of it is left when its test ends."""
    bench = Bench(engine, image, tmp_path)
    yield bench
    assert await bench.containers() == []
