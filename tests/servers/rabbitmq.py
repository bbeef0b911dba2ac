"""RabbitMQ from Debian's package: a node of its own name, ports and folder."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import aio_pika

from schemas.parameters import Slot
from storage.rabbitmq_topology import Names
from tests.servers.process import ServerProcess, accepts, free_port

INSTALL: Final = "apt-get install rabbitmq-server"
PROGRAM: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
# The package's own user: as root, the server refuses to be what it is not.
USER: Final = "rabbitmq"
APT_SECONDS: Final = 600
FORGET_SECONDS: Final = 5.0


def program() -> str | None:
    """Return the path of the server, None if there is none; in CI, root installs the package when it is missing."""
    if not PROGRAM.exists() and os.environ.get("CI") and os.geteuid() == 0 and shutil.which("apt-get"):
        _install()
    return str(PROGRAM) if PROGRAM.exists() else None


@contextmanager
def running(folder: Path) -> Iterator[tuple[ServerProcess, Mapping[str, str]]]:
    """Start a node on data in a folder; yield it and the settings that name it, and kill it afterwards."""
    path, port, names = program(), free_port(), free_port()
    if path is None:
        raise RuntimeError(f"no RabbitMQ here; to install: {INSTALL}")
    folder.mkdir(parents=True, exist_ok=True)
    command = [path]
    if os.geteuid() == 0:
        command = ["runuser", "-u", USER, "--", path]
        _let_in(folder)
    process = ServerProcess(
        command, folder=folder, is_ready=lambda: accepts(port), environment=_environment(folder, port, names)
    )
    try:
        process.start()
        yield process, {"YMIR_AMQP_URL": f"amqp://guest:guest@127.0.0.1:{port}/"}
    finally:
        process.kill()
        _forget(names)


def _forget(names: int) -> None:
    """End Erlang's register of names, a process apart, once it has noticed that our node, its only one, is gone."""
    deadline = time.monotonic() + FORGET_SECONDS
    command = ["epmd", "-port", str(names), "-kill"]
    while accepts(names) and time.monotonic() < deadline:
        subprocess.run(command, check=False, capture_output=True)


async def delete_bus(url: str, name: str) -> None:
    """Delete the exchanges and the queues of a bus."""
    names = Names(name)
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        for exchange in (names.tasks, names.events, names.dead):
            await channel.exchange_delete(exchange)
        for queue in (names.dead, *(names.slot(slot) for slot in Slot)):
            await channel.queue_delete(queue)


def _environment(folder: Path, port: int, names: int) -> Mapping[str, str]:
    return {
        "HOME": str(folder),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(names),
        "RABBITMQ_NODENAME": f"ymir-{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        # It would poll the processor without end, of which the tests have two.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
    }


def _let_in(folder: Path) -> None:
    """Give a folder to the package's user, and let it pass through those above, which pytest keeps to itself."""
    shutil.chown(folder, USER, USER)
    for above in folder.parents:
        mode = above.stat().st_mode
        if not mode & 0o001:
            above.chmod(mode | 0o001)


def _install() -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update"],
        ["apt-get", "install", "--yes", "--no-install-recommends", "rabbitmq-server"],
    ):
        subprocess.run(command, check=True, env=environment, timeout=APT_SECONDS, stdout=subprocess.DEVNULL)
