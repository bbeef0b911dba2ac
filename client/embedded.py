"""The embedded profile: gateway, worker and stores in one process, on one data folder."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from client.addresses import Address, Place
from client.data_folder import DOCUMENTS, owned
from client.folder_gateway import HOST, services_of
from client.secret_files import ADMIN_KEY, secret
from gateway.admin_key import make_known
from gateway.app import build_app
from gateway.rules import acting_on_rules
from gateway.serving import answering
from schemas.executors import Executor, Runtime
from schemas.keys import ApiKey
from schemas.parameters import Slot
from storage.cache import BlobCache
from storage.clock import utc_now
from storage.ports import Database
from storage.process import bound_to, end_in, log_to_stderr, stop_requested
from storage.settings import read_settings
from storage.sqlite import open_database
from workers.delivery.sending import sender_of
from workers.executors.docker_settings import DockerSettings
from workers.executors.docker_setup import docker_parts, named_folder
from workers.executors.process import ProcessRuntime
from workers.executors.registering import inspected, register
from workers.executors.registry import BUILT_IN
from workers.image_pool import open_pool
from workers.importing.settings import ImportSettings
from workers.labeling.opening import labeling_tools
from workers.settings import WorkerSettings
from workers.toolbox import Toolbox
from workers.work_folder import emptied
from workers.working import working

WORKER: Final = "embedded"
BUILT_IN_EXECUTOR: Final = "tiny-detector"
CACHE_BYTES: Final = 4 << 30
GPU_SLOTS: Final = 8
"""More than most machines have GPUs: which tasks run is said by the leases."""
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
async def in_process(
    data: Path, *, import_roots: tuple[Path, ...] = (), executor_roots: tuple[Path, ...] = ()
) -> AsyncIterator[str]:
    """Run the service, for this process alone, on a data folder that it owns; yield the address."""
    log_to_stderr(level=logging.WARNING, in_words=True)
    with bound_to(HOST, 0, step="") as bound:
        place = Place(
            data=data, host=HOST, port=bound.getsockname()[1], import_roots=import_roots, executor_roots=executor_roots
        )
        async with running(Address(place, bound)):
            yield place.url


@asynccontextmanager
async def running(address: Address) -> AsyncIterator[None]:
    """Run the service on a data folder that this process owns."""
    place = address.place
    data = place.data.absolute()
    settings = _worker_settings(data)
    roots = tuple(root.absolute() for root in place.import_roots)
    executor_roots = (BUILT_IN, *settings.process_executors, *(root.absolute() for root in place.executor_roots))
    importing = ImportSettings(import_roots=roots) if roots else ImportSettings()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(data / DOCUMENTS))
        docker = stack.enter_context(
            docker_parts(read_settings(DockerSettings), database=database, stores=named_folder(data))
        )
        services = services_of(
            data,
            database=database,
            public_url=place.url,
            import_roots=importing.import_roots,
            inspect_executor=partial(inspected, roots=executor_roots, images=docker.images),
        )
        tools = Toolbox(
            database=database,
            blobs=services.blobs,
            library=services.library,
            cache=BlobCache(services.blobs, settings.cache, CACHE_BYTES),
            pool=await stack.enter_async_context(open_pool()),
            runtimes={Runtime.PROCESS: ProcessRuntime(), **docker.runtimes},
            importing=importing,
            sender=await stack.enter_async_context(sender_of(settings)),
            labeling=await stack.enter_async_context(labeling_tools(services.labeling, database=database)),
            bus=services.bus,
            images=docker.images,
            is_alone=True,
        )
        await _first_start(database, data, settings.process_executors)
        await asyncio.to_thread(emptied, settings.scratch)
        work = working(
            tools,
            bus=services.bus,
            event_log=services.event_log,
            settings=settings,
            reapers=docker.reapers,
            alone=True,
        )
        await stack.enter_async_context(work)
        await stack.enter_async_context(answering(acting_on_rules(build_app(services)), address.socket))
        yield


async def _first_start(database: Database, data: Path, folders: tuple[Path, ...]) -> None:
    await make_known(await asyncio.to_thread(secret, data, ADMIN_KEY), database.documents(ApiKey), at=utc_now())
    await register([BUILT_IN / BUILT_IN_EXECUTOR, *folders], database.documents(Executor))


def _worker_settings(data: Path) -> WorkerSettings:
    settings = WorkerSettings(work=data, worker=WORKER)
    # There is no other worker: a kind of slot that this one lacks would have its tasks wait for ever.
    return settings.model_copy(update={"slots": {**dict.fromkeys(Slot, 1), Slot.GPU: GPU_SLOTS, **settings.slots}})
