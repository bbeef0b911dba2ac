"""The servers of the production profile, each for all tests of a session that need it."""

import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import pytest
import structlog
from hypothesis import settings

from schemas.event_data import DATA
from schemas.events import CloudEvent, Fact
from tests.happenings import Before
from tests.servers.found import DOCKER, KINDS, LABEL_STUDIO, MONGO, RABBITMQ, S3, settings_of

# In CI the same examples each time: what is found by chance is found on a laptop, and stays to be mended.
settings.register_profile("laptop", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=50, deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "laptop")


def pytest_configure(config: pytest.Config) -> None:
    """Have CI install what is missing before processes share the tests: two of them would be in each other's way."""
    if os.environ.get("CI") and config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        for kind in (*KINDS, LABEL_STUDIO):
            if kind.setting not in os.environ:
                kind.program()


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Commands say where logs go; that may be a stream of their test alone."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def events_as_described(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever any test announces is what the description of events says."""
    announced_by = Fact.announced_by

    def described(fact: Fact, source: str) -> CloudEvent:
        if fact.data:  # some tests are about the log, and say nothing
            DATA[fact.type].model_validate(fact.data, extra="forbid")
        return announced_by(fact, source)

    monkeypatch.setattr(Fact, "announced_by", described)


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Before:
    """Return what has something happen before each of the next calls of a method, one after the other."""

    def arrange(target: object, method: str, *happenings: Callable[[], Awaitable[None]]) -> None:
        called, left = getattr(target, method), list(happenings)

        async def call(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - those of any method
            monkeypatch.setattr(target, method, called)  # what happens may call it as well
            await left.pop(0)()
            if left:
                monkeypatch.setattr(target, method, call)
            return await called(*arguments, **options)

        monkeypatch.setattr(target, method, call)

    return arrange


@pytest.fixture(scope="session")
def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with settings_of(MONGO, tmp_path_factory.mktemp("mongod")) as settings:
        yield settings[MONGO.setting]


@pytest.fixture(scope="session")
def amqp_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with settings_of(RABBITMQ, tmp_path_factory.mktemp("rabbitmq")) as settings:
        yield settings[RABBITMQ.setting]


@pytest.fixture(scope="session")
def s3_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    with settings_of(S3, tmp_path_factory.mktemp("s3")) as settings:
        yield settings


@pytest.fixture(scope="session")
def docker_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    # The first time on a machine the base image is made, so whoever uses this has a longer timeout.
    with settings_of(DOCKER, tmp_path_factory.mktemp("docker")) as settings:
        yield settings


@pytest.fixture(scope="session")
def label_studio_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    # It starts in half a minute, and in CI is installed before: whoever uses this has a longer timeout.
    with settings_of(LABEL_STUDIO, tmp_path_factory.mktemp("label-studio")) as settings:
        yield settings[LABEL_STUDIO.setting]
