"""The embedded profile: gateway, worker and stores in one process, on one data folder."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from pydantic import SecretStr

from client.addresses import Address, Place
from client.data_folder import BLOBS, DOCUMENTS, owned
from client.secret_files import ADMIN_KEY, LINK_KEY, secret
from gateway.admin_key import make_known
from gateway.app import build_app
from gateway.services import Services
from gateway.serving import answering
from gateway.settings import GatewaySettings
from schemas.executors import Executor, Runtime
from schemas.keys import ApiKey
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
from storage.process import bound_to, end_in, log_to_stderr, stop_requested
from storage.readiness import VITAL, Readiness
from storage.sqlite import open_database
from workers.executors.process import ProcessRuntime
from workers.executors.registering import inspected, register
from workers.executors.registry import BUILT_IN
from workers.image_pool import open_pool
from workers.importing.settings import ImportSettings
from workers.settings import WorkerSettings
from workers.toolbox import Toolbox
from workers.work_folder import emptied
from workers.working import working

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
    stop = stop_requested()
    with owned(place.data) as tell, bound_to(place.host, place.port, step="Choose another with --port.") as bound:
        address = Address(replace(place, port=bound.getsockname()[1]), bound)
        url = address.place.url
        tell(url)
        async with running(address):
            log.info("ready", url=url, key=str(place.data / ADMIN_KEY), docs=f"{url}/docs")
            await stop.wait()
            log.info("stopping")
            end_in(STOP_SECONDS)


@asynccontextmanager
async def running(address: Address) -> AsyncIterator[None]:
    """Run the service on a data folder that this process owns."""
    place = address.place
    data = place.data.absolute()
    settings = _worker_settings(data)
    roots = tuple(root.absolute() for root in place.import_roots)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(data / DOCUMENTS))
        blobs, bus = FolderBlobs(data / BLOBS), LocalBus()
        library = Library(database, blobs)
        event_log = EventLog(database, source=f"urn:ymir:{derived_id('deployment', secret(data, LINK_KEY))}")
        importing = ImportSettings(import_roots=roots) if roots else ImportSettings()
        tools = Toolbox(
            database=database,
            blobs=blobs,
            library=library,
            cache=BlobCache(blobs, settings.cache, CACHE_BYTES),
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
            readiness=Readiness(database, blobs, bus, vital=VITAL),
            inspect_executor=partial(inspected, roots=(BUILT_IN,)),
            announce=Announcer(database.documents(Task), event_log, bus).announce,
        )
        await _first_start(database, data)
        await asyncio.to_thread(emptied, settings.scratch)
        work = working(tools, bus=bus, event_log=event_log, settings=settings, alone=True)
        await stack.enter_async_context(work)
        await stack.enter_async_context(answering(build_app(services), address.socket))
        yield


async def _first_start(database: Database, data: Path) -> None:
    await make_known(await asyncio.to_thread(secret, data, ADMIN_KEY), database.documents(ApiKey), at=utc_now())
    await register([BUILT_IN / BUILT_IN_EXECUTOR], database.documents(Executor))


def _worker_settings(data: Path) -> WorkerSettings:
    settings = WorkerSettings(work=data, worker=WORKER)
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
