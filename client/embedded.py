"""The embedded profile: gateway, worker and stores in one process, on one data folder."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Final

import structlog
from aiohttp import web
from pydantic import SecretStr

from client.addresses import Address, Place, listening
from client.data_folder import owned
from client.logs import log_to_stderr
from client.secret_files import ADMIN_KEY, LINK_KEY, secret
from gateway.app import build_app
from gateway.services import Services
from gateway.settings import GatewaySettings
from schemas.errors import Conflict
from schemas.executors import Executor, ExecutorSubmission, Runtime
from schemas.keys import ApiKey, Role, secret_digest
from schemas.parameters import Slot
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
from workers.housekeeping import Housekeeping
from workers.image_pool import open_pool
from workers.importing.settings import ImportSettings
from workers.runner import Runner
from workers.settings import WorkerSettings
from workers.sweep import Sweep
from workers.toolbox import Toolbox, handlers, what_is_over

WORKER: Final = "embedded"
BUILT_IN_EXECUTOR: Final = "tiny-detector"
CACHE_BYTES: Final = 4 << 30
STOP_SECONDS: Final = 15.0
"""How long the service may take to end."""

log = structlog.get_logger(__name__)


async def serve(place: Place) -> None:
    """Run the whole service until SIGINT or SIGTERM; what runs then is handed over to the next start.

    Raises Unavailable if another process owns the data folder, or the address is taken.
    """
    log_to_stderr()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with owned(place.data) as tell, listening(place) as address:
        url = address.place.url
        tell(url)
        async with running(address):
            log.info("ready", url=url, key=str(place.data / ADMIN_KEY), docs=f"{url}/docs")
            await stop.wait()
            log.info("stopping")
            _end_in(STOP_SECONDS)


@asynccontextmanager
async def running(address: Address) -> AsyncIterator[None]:
    """Run the service on a data folder that this process owns."""
    place = address.place
    data = place.data.absolute()
    roots = tuple(root.absolute() for root in place.import_roots)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(data / "ymir.db"))
        blobs, bus = FolderBlobs(data / "blobs"), LocalBus()
        library = Library(database, blobs)
        event_log = EventLog(database, source=f"urn:ymir:{derived_id('deployment', secret(data, LINK_KEY))}")
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
        working = _working(tools, bus=bus, event_log=event_log, announcer=announcer, settings=_worker_settings(data))
        await stack.enter_async_context(working)
        await stack.enter_async_context(_answering(build_app(services), address))
        yield


@asynccontextmanager
async def _working(
    tools: Toolbox, *, bus: LocalBus, event_log: EventLog, announcer: Announcer, settings: WorkerSettings
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
    consumer = Consumer(bus=bus, runner=runner, settings=settings)
    housekeeping = Housekeeping(database=tools.database, event_log=event_log, clock=utc_now, settings=settings)
    await sweep.take_all()  # nobody else can be running them: this process owns the folder
    # No TaskGroup: it would wrap what is raised while the rest of the service starts.
    jobs = [asyncio.create_task(run()) for run in (consumer.run, sweep.run, housekeeping.run)]
    try:
        yield
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.wait(jobs)


@asynccontextmanager
async def _answering(app: web.Application, address: Address) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=3.0)
    await runner.setup()
    try:
        await web.SockSite(runner, address.socket).start()
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
        known = await executors.get(found.id)
        if (known.reference, known.digest) != (found.reference, found.digest):  # another release, or place on the disk
            changes = found.model_dump(include={"reference", "digest", "object_types", "templates"})
            await executors.replace(known.successor(**changes), was=known)


def _emptied(folder: Path) -> None:
    """Leave a folder without what a process that was killed left in it."""
    rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


async def _inspect(submission: ExecutorSubmission) -> Executor:
    return await asyncio.to_thread(partial(inspect, submission, roots=(BUILT_IN,), at=utc_now()))


def _end_in(seconds: float) -> None:
    """End this process after some seconds even if a thread still works; what that worked on, the next start takes."""
    timer = threading.Timer(seconds, os._exit, (1,))
    timer.daemon = True
    timer.start()


def _worker_settings(data: Path) -> WorkerSettings:
    settings = WorkerSettings(scratch=data / "scratch")
    # There is no other worker: a kind of slot that this one lacks would have its tasks wait for ever.
    return settings.model_copy(update={"slots": {**dict.fromkeys(Slot, 1), **settings.slots}})


def _gateway_settings(place: Place, data: Path, importing: ImportSettings) -> GatewaySettings:
    return GatewaySettings(
        link_key=SecretStr(secret(data, LINK_KEY)),
        public_url=place.url,
        import_roots=importing.import_roots,
        spool=data / "spool",
        request_takeover_seconds=0.0,  # what an earlier process left unanswered, nobody is answering now
    )
