"""The production profile on this machine: the servers of the tests, a gateway and a worker, each a process."""

import asyncio
import os
import secrets
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import urlsplit

from client.api import Client, connected, ready
from tests.bench.measuring import processor_seconds
from tests.servers.found import MONGO, RABBITMQ, S3, settings_of
from tests.servers.mongod import another_database, drop_database
from tests.servers.process import free_port
from tests.servers.rabbitmq import delete_bus

START_SECONDS: Final = 60.0
SLOTS: Final = 32
WORKER: Final = "workers"
NO_OP: Final = "tests.bench.no_op_worker"
SERVERS: Final = {"mongod": MONGO, "broker": RABBITMQ, "S3": S3}


class Deployment:
    """Servers, and the processes of ours that are started on them; all log into one folder."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.settings = settings
        self.key = settings["YMIR_ADMIN_KEY"]
        self.url = settings["YMIR_PUBLIC_URL"]
        self.processes: dict[str, Process] = {}

    async def start(self, module: str, name: str, **settings: str) -> Process:
        """Start ``python -m module`` as the process of a name."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", module, stdout=log, stderr=log, env={**os.environ, **self.settings, **settings}
            )
        self.processes[name] = process
        return process

    async def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal to a process, and wait for its end."""
        process = self.processes.pop(name)
        if process.returncode is None:
            process.send_signal(number)
        await asyncio.wait_for(process.wait(), START_SECONDS)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Open a client of the gateway, which must have been started."""
        async with connected(self.url, self.key, patience_seconds=START_SECONDS) as client:
            await ready(client, seconds=START_SECONDS)
            yield client

    def used(self) -> dict[str, float]:
        """Return the seconds of processor time that each process has used so far, the servers among them."""
        pids = {name: process.pid for name, process in self.processes.items()}
        servers = {name: _listening_at(self.settings[kind.setting]) for name, kind in SERVERS.items()}
        return {name: processor_seconds(pid) for name, pid in {**pids, **servers}.items()}


@asynccontextmanager
async def deployed(folder: Path) -> AsyncIterator[Deployment]:
    """Run the servers and a gateway, on a database, a bus and a prefix of blobs that nobody else uses."""
    async with AsyncExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory(dir=folder)))
        found: dict[str, str] = {}
        for name, kind in SERVERS.items():
            settings = stack.enter_context(settings_of(kind, _folder(place / name)))
            found |= {key: value for key, value in settings.items() if key.startswith("YMIR_")}
        mongo, bus = another_database(found[MONGO.setting]), f"bench-{secrets.token_hex(4)}"
        stack.callback(drop_database, mongo)
        stack.push_async_callback(delete_bus, found[RABBITMQ.setting], bus)
        port = free_port()
        own = {
            MONGO.setting: mongo,
            S3.setting: f"{found[S3.setting]}/{bus}",
            "YMIR_BUS": bus,
            "YMIR_PORT": str(port),
            "YMIR_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "YMIR_LINK_KEY": secrets.token_hex(),
            "YMIR_ADMIN_KEY": secrets.token_hex(),
            "YMIR_IMPORT_ROOTS": str(folder),
            "YMIR_WORK": str(place / "work"),
            "YMIR_REQUESTS_PER_SECOND": "1000000",
            "YMIR_BURST": "1000000",
            "YMIR_SLOTS": f'{{"data": {SLOTS}}}',
        }
        deployment = Deployment(place, {**found, **own})
        try:
            await deployment.start("gateway", "gateway")
            yield deployment
        finally:
            for name in list(deployment.processes):
                await deployment.end(name)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _listening_at(url: str) -> int:
    """Return the id of the process that listens on the port of a URL on this machine."""
    port = urlsplit(url).port or 0
    tables = [Path(f"/proc/net/{name}").read_text(encoding="ascii") for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    listening = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(opened.readlink()) in listening for opened in (process / "fd").iterdir()):
                return int(process.name)
        except OSError:
            continue  # it has ended, or is somebody else's
    raise LookupError(f"nothing that we may look at listens on port {port}")
