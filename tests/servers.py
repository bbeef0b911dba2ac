"""Which servers of the production profile are to be found on this machine: ``make servers``."""

import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

CONNECT_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that an adapter talks to: how it is found, and how it is installed."""

    name: str
    programs: tuple[str, ...]
    setting: str
    """The environment variable that names one which already runs."""
    port: int
    install: str


SERVERS: Final = (
    Server(
        name="RabbitMQ",
        programs=("rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmq-server"),
        setting="YMIR_AMQP_URL",
        port=5672,
        install="apt-get install rabbitmq-server",
    ),
    Server(
        name="MongoDB",
        programs=("mongod",),
        setting="YMIR_MONGO_URL",
        port=27017,
        install="the mongodb-org package of MongoDB's own Debian repository",
    ),
    Server(
        name="S3 server",
        programs=("minio", "weed", "garage", "rustfs"),
        setting="YMIR_S3_URL",
        port=9000,
        install="one static binary: MinIO, SeaweedFS, Garage or RustFS, from its own releases",
    ),
    Server(
        name="Docker engine",
        programs=("dockerd",),
        setting="DOCKER_HOST",
        port=2375,
        install="apt-get install docker.io",
    ),
)


def main() -> None:
    """Print a line for each server, and what that means for the tests."""
    for line in lines(os.environ):
        print(line)
    print()
    print("The embedded profile (`make serve`, `make demo`, `make test`) needs none of them.")
    print("There are no adapters for these servers yet, so nothing is started.")


def lines(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield what is known of each server; one that was found needs no advice."""
    for server in SERVERS:
        found = where(server, environment)
        yield f"{server.name:14} {found}" if found else f"{server.name:14} not found; to install: {server.install}"


def where(server: Server, environment: Mapping[str, str]) -> str | None:
    """Return where a server is: named by its setting, or a program on this machine; None if neither."""
    if url := environment.get(server.setting):
        state = "answers" if answers(url, server.port) else "does not answer"
        return f"named by {server.setting}: {state}"
    programs = (shutil.which(program) for program in server.programs)
    return next((f"installed: {program}" for program in programs if program), None)


def answers(url: str, default_port: int) -> bool:
    """Return whether something accepts connections at a URL: a host and port, or a local socket."""
    parts = urlsplit(url)
    try:
        if parts.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as local:
                local.settimeout(CONNECT_SECONDS)
                local.connect(parts.path)
            return True
        with socket.create_connection((parts.hostname or "localhost", parts.port or default_port), CONNECT_SECONDS):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    main()
