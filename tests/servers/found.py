"""Servers that tests use: those that the settings name, else ones that are started for as long as the tests run."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.servers import base_image, docker, label_studio, mongod, rabbitmq, s3


class Kind(NamedTuple):
    """A kind of server: the setting that names a running one, and how one of our own is found and started."""

    name: str
    setting: str
    install: str
    program: Callable[[], str | None]
    running: Callable[[Path], AbstractContextManager[tuple[object, Mapping[str, str]]]]


MONGO: Final = Kind("MongoDB", "YMIR_MONGO_URL", mongod.INSTALL, mongod.program, mongod.running)
RABBITMQ: Final = Kind("RabbitMQ", "YMIR_AMQP_URL", rabbitmq.INSTALL, rabbitmq.program, rabbitmq.running)
S3: Final = Kind("S3 server", "YMIR_S3_URL", s3.INSTALL, s3.program, s3.running)
DOCKER: Final = Kind("Docker engine", base_image.SETTING, docker.INSTALL, docker.program, docker.running)
LABEL_STUDIO: Final = Kind(
    "Label Studio", label_studio.SETTING, label_studio.INSTALL, label_studio.program, label_studio.running
)
KINDS: Final = (MONGO, RABBITMQ, S3, DOCKER)


def required(server: str, *, install: str, found: bool) -> None:
    """Skip the test where a server is missing, saying how it is installed; fail instead where CI promised it."""
    if found:
        return
    message = f"no {server} here; to install: {install}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def settings_of(kind: Kind, folder: Path) -> Iterator[Mapping[str, str]]:
    """Yield the settings that name a server: those of the environment, or of one that is started meanwhile."""
    if kind.setting in os.environ:
        yield os.environ
        return
    required(kind.name, install=kind.install, found=kind.program() is not None)
    with kind.running(folder) as (_, settings):
        yield settings
