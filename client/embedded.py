"""The embedded profile: gateway, worker and stores in one process, on one data folder."""

import asyncio
import signal
from asyncio import TaskGroup
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Final

import structlog
from aiohttp import web
from pydantic import SecretStr

from client.data_folder import owned
from client.logs import log_to_stderr
from client.secret_files import ADMIN_KEY, LINK_KEY, secret
from gateway.app import build_app
from gateway.services import Services
from gateway.settings import GatewaySettings
from schemas.errors import Conflict, Unavailable
from schemas.executors import Executor, ExecutorSubmission, Runtime
from schemas.keys import ApiKey, Role, secret_digest
from schemas.schema import derived_id
from schemas.tasks import Task
from storage.announcing import Announcer
from storage.cache import BlobCache
from storage.clock import utc_now
from storage.datasets.library import Library
from storage.event_log import EventLog
from storage.folder import FolderBlobs
from storage.local_bus import LocalBus
from storage.ports import Database
from storage.sqlite import open_database
from workers.consumer import Consumer
from workers.executors.process import ProcessRuntime
from workers.executors.registry import BUILT_IN, inspect
from workers.image_pool import open_pool
from workers.importing.settings import ImportSettings
from workers.runner import Runner
from workers.settings import WorkerSettings
from workers.sweep import Sweep
from workers.toolbox import Toolbox, handlers, what_is_over

WORKER: Final = "embedded"
BUILT_IN_EXECUTOR: Final = "tiny-detector"
CACHE_BYTES: Final = 4 << 30

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the service keeps its data, where it listens, and what imports may read."""

    data: Path
    host: str
    port: int
    import_roots: tuple[Path, ...] = ()

    @property
    def url(self) -> str:
        """The address of the service."""
        return f"http://{self.host}:{self.port}"


async def serve(place: Place) -> None:
    """Run the whole service until SIGINT or SIGTERM; what runs then is handed over to the next start.

    Raises Conflict if another process owns the data folder, Unavailable if the address is taken.
    """
    log_to_stderr()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with owned(place.data, url=place.url):
        async with running(place):
            log.info("ready", url=place.url, key=str(place.data / ADMIN_KEY), docs=f"{place.url}/docs")
            await stop.wait()
            log.info("stopping")


@asynccontextmanager
async def running(place: Place) -> AsyncIterator[None]:
    """Run the service on a data folder that this process owns."""
    data = place.data.absolute()
    roots = tuple(root.absolute() for root in place.import_roots)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(data / "ymir.db"))
        blobs, bus = FolderBlobs(data / "blobs"), LocalBus()
        library = Library(database, blobs)
        event_log = EventLog(database, source=place.url)
        announcer = Announcer(database.documents(Task), event_log, bus)
        importing = ImportSettings(import_roots=roots) if roots else ImportSettings()
        tools = Toolbox(
            database=database,
            blobs=blobs,
            library=library,
            cache=BlobCache(blobs, data / "cache", CACHE_BYTES),
            pool=await stack.enter_async_context(open_pool()),
            runtimes={Runtime.PROCESS: ProcessRuntime()},
            importing=importing,
        )
        services = Services(
            database=database,
            blobs=blobs,
            bus=bus,
            library=library,
            event_log=event_log,
            clock=utc_now,
            settings=_gateway_settings(place, data, importing),
            inspect_executor=_inspect,
            announce=announcer.announce,
            offered=frozenset(handlers(tools)),
        )
        await _first_start(database, data)
        await asyncio.to_thread(_emptied, data / "scratch")
        working = _working(tools, bus=bus, announcer=announcer, settings=WorkerSettings(scratch=data / "scratch"))
        await stack.enter_async_context(working)
        await stack.enter_async_context(_listening(build_app(services), place))
        yield


@asynccontextmanager
async def _working(
    tools: Toolbox, *, bus: LocalBus, announcer: Announcer, settings: WorkerSettings
) -> AsyncIterator[None]:
    runner = Runner(
        name=WORKER,
        handlers=handlers(tools),
        database=tools.database,
        bus=bus,
        announcer=announcer,
        clock=utc_now,
        settings=settings,
    )
    sweep = Sweep(
        tasks=tools.database.documents(Task),
        runner=runner,
        bus=bus,
        announcer=announcer,
        clock=utc_now,
        settings=settings,
        is_over=what_is_over(tools.database),
    )
    consumer = Consumer(bus=bus, runner=runner, slots=settings.slots, idle_seconds=settings.idle_seconds)
    await sweep.take_all()  # nobody else can be running them: this process owns the folder
    async with TaskGroup() as background:
        jobs = [background.create_task(consumer.run()), background.create_task(sweep.run())]
        yield
        for job in jobs:
            job.cancel()


@asynccontextmanager
async def _listening(app: web.Application, place: Place) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=5.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, place.host, place.port).start()
        except OSError as error:
            step = "Choose another with --port."
            raise Unavailable(f"The address {place.url} cannot be used: {error.strerror}.", step=step) from error
        yield
    finally:
        await runner.cleanup()


async def _first_start(database: Database, data: Path) -> None:
    key = await asyncio.to_thread(secret, data, ADMIN_KEY)
    keys, executors = database.documents(ApiKey), database.documents(Executor)
    digest = secret_digest(key)
    admin = ApiKey(id=derived_id("key", digest), name="admin", secret=digest, role=Role.ADMIN, created_at=utc_now())
    if not await keys.get_many([admin.id]):
        await keys.add(admin)
    found = await _inspect(ExecutorSubmission(name=BUILT_IN_EXECUTOR, reference=BUILT_IN_EXECUTOR))
    try:
        await executors.add(found)
    except Conflict:
        known = await executors.get(found.id)  # of an earlier release, or another place on the disk
        changes = found.model_dump(exclude={"id", "generation", "created_at"})
        await executors.replace(known.successor(**changes), was=known)


def _emptied(folder: Path) -> None:
    """Leave a folder without what a process that was killed left in it."""
    rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


async def _inspect(submission: ExecutorSubmission) -> Executor:
    return await asyncio.to_thread(partial(inspect, submission, roots=(BUILT_IN,), at=utc_now()))


def _gateway_settings(place: Place, data: Path, importing: ImportSettings) -> GatewaySettings:
    return GatewaySettings(
        link_key=SecretStr(secret(data, LINK_KEY)),
        public_url=place.url,
        import_roots=importing.import_roots,
        spool=data / "spool",
        request_takeover_seconds=0.0,  # what an earlier process left unanswered, nobody is answering now
    )
