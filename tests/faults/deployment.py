"""A deployment on servers that a test may break: a gateway and workers, each a process of its own."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession

from client.api import connected
from client.calls import Refused
from schemas.errors import Unavailable
from storage.production import Stores, open_stores
from storage.settings import StoreSettings
from tests.faults.cable import Cable, plugged_in
from tests.faults.patient import Patient
from tests.faults.program import ROOT, Program
from tests.faults.servers import Servers
from tests.faults.waiting import until
from tests.servers.found import MONGO, S3
from tests.servers.mongod import another_database, drop_database
from tests.servers.process import free_port
from tests.servers.rabbitmq import delete_bus

START_SECONDS = 60.0
DETECTOR = ROOT / "deploy" / "executors" / "tiny-detector"
# A second of these is ten of the defaults.
SHORT = {
    "YMIR_BEAT_SECONDS": "0.5",
    "YMIR_PROGRESS_SECONDS": "0.5",
    "YMIR_ORPHAN_SECONDS": "3",
    "YMIR_SWEEP_SECONDS": "0.5",
    "YMIR_GRACE_SECONDS": "3",
    "YMIR_IDLE_SECONDS": "1",
    "YMIR_REQUEST_TAKEOVER_SECONDS": "3",
}
SLOTS = '{"data": 2, "executor": 1, "service": 1, "delivery": 4}'


class Worker:
    """A worker that is started again under another name after each end."""

    def __init__(self, number: int, *, settings: Mapping[str, str], folder: Path) -> None:
        self.number = number
        self.name = ""
        self._starts = 0
        self._health = f"http://127.0.0.1:{settings['YMIR_HEALTH_PORT']}"
        self.program = Program("workers", environment=settings, log=folder / f"worker-{number}.log")

    async def start(self) -> None:
        self._starts += 1
        self.name = self.program.environment["YMIR_WORKER"] = f"worker-{self.number}.{self._starts}"
        await self.program.start()

    async def is_ready(self) -> bool:
        try:
            async with ClientSession() as session, session.get(f"{self._health}/readyz") as response:
                return response.ok
        except OSError:
            return False

    def said(self) -> str:
        """Return what it has logged so far."""
        return self.program.log.read_text()


class Deployment:
    """The processes of the service, the cable that leads to its blobs, and what they are told of all that."""

    def __init__(self, servers: Servers, settings: Mapping[str, str], cable: Cable, folder: Path) -> None:
        self.servers = servers
        self.settings = dict(settings)
        self.cable = cable
        self.folder = folder
        self.gateway = Program("gateway", environment=self.settings, log=folder / "gateway.log")
        self.workers: list[Worker] = []

    async def add_worker(self, **settings: str) -> Worker:
        """Start one more worker, and return it when it is ready."""
        own = {**self.settings, "YMIR_HEALTH_PORT": str(free_port()), **settings}
        worker = Worker(len(self.workers), settings=own, folder=self.folder)
        self.workers.append(worker)
        await worker.start()
        await until(worker.is_ready, seconds=START_SECONDS)
        return worker

    def owner(self, name: str | None) -> Worker:
        """Return the worker that bears a name."""
        return next(worker for worker in self.workers if worker.name == name)

    async def answers(self) -> bool:
        """Return whether the gateway knows its administrator."""
        try:
            async with self.client() as client:
                await client.read("/v1/projects")
        except (Unavailable, Refused):
            return False
        return True

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Patient]:
        """Open a client of the administrator."""
        async with connected(self.settings["YMIR_PUBLIC_URL"], self.settings["YMIR_ADMIN_KEY"]) as client:
            yield Patient.of(client)

    @asynccontextmanager
    async def stores(self) -> AsyncIterator[Stores]:
        """Open the stores behind the service's back, the blobs not over the cable."""
        values = {name.removeprefix("YMIR_").lower(): value for name, value in self.settings.items()}
        known = {name: values[name] for name in StoreSettings.model_fields if name in values}
        known["s3_url"] = f"{self.servers.settings[S3.setting]}/{self.settings['YMIR_BUS']}"
        async with open_stores(StoreSettings.model_validate(known)) as stores:
            yield stores


@asynccontextmanager
async def deployed(servers: Servers, folder: Path, *, workers: int, **settings: str) -> AsyncIterator[Deployment]:
    """Run a gateway and some workers on a database, a bus and a prefix that nobody else uses; kill them at the end."""
    async with AsyncExitStack() as stack:
        cable = await stack.enter_async_context(plugged_in(servers.shelf.port))
        own = _own(servers.settings, cable.port, folder)
        stack.push_async_callback(asyncio.to_thread, drop_database, own[MONGO.setting])
        stack.push_async_callback(delete_bus, servers.settings["YMIR_AMQP_URL"], own["YMIR_BUS"])
        for server in (servers.database, servers.broker, servers.shelf):
            stack.push_async_callback(server.start)
        deployment = Deployment(servers, {**servers.settings, **SHORT, **own, **settings}, cable, folder)
        stack.push_async_callback(_end, deployment)
        await deployment.gateway.start()
        await asyncio.gather(*(deployment.add_worker() for _ in range(workers)))
        await until(deployment.answers, seconds=START_SECONDS)
        yield deployment


def _own(settings: Mapping[str, str], cable_port: int, folder: Path) -> dict[str, str]:
    name, port = f"faults-{secrets.token_hex(4)}", free_port()
    bucket = settings[S3.setting].rpartition("/")[2]
    return {
        MONGO.setting: another_database(settings[MONGO.setting]),
        S3.setting: f"http://127.0.0.1:{cable_port}/{bucket}/{name}",
        "YMIR_BUS": name,
        "YMIR_SOURCE": f"urn:{name}",
        "YMIR_LINK_KEY": secrets.token_hex(),
        "YMIR_ADMIN_KEY": secrets.token_hex(),
        "YMIR_PORT": str(port),
        "YMIR_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "YMIR_IMPORT_ROOTS": str(folder),
        "YMIR_SPOOL": str(folder),
        "YMIR_WORK": str(folder / "work"),
        "YMIR_SLOTS": SLOTS,
        "YMIR_PROCESS_EXECUTORS": str(DETECTOR),
    }


async def _end(deployment: Deployment) -> None:
    for program in (deployment.gateway, *(worker.program for worker in deployment.workers)):
        await program.kill()
