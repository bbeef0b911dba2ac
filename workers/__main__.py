"""A worker as a process of the production profile: ``python -m workers``."""

import asyncio
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

import structlog

from schemas.errors import YmirError
from schemas.executors import Executor, Runtime
from storage.cache import BlobCache
from storage.datasets.library import Library
from storage.event_log import EventLog
from storage.insisting import insist
from storage.labeling.settings import LabelingSettings
from storage.process import end_in, log_to_stderr, stop_requested
from storage.production import open_stores
from storage.readiness import BUS, VITAL, Readiness
from storage.settings import StoreSettings, read_settings
from workers.delivery.sending import sender_of
from workers.executors.docker_settings import DockerSettings
from workers.executors.docker_setup import docker_parts, named_stores
from workers.executors.process import ProcessRuntime
from workers.executors.registering import register
from workers.health import telling
from workers.image_pool import open_pool
from workers.importing.settings import ImportSettings
from workers.labeling.opening import labeling_tools
from workers.settings import WorkerSettings
from workers.toolbox import Toolbox
from workers.work_folder import own_part
from workers.working import working

STOP_SECONDS: Final = 15.0
"""How long the process may take to end."""

log = structlog.get_logger(__name__)


def main() -> int:
    """Work until SIGINT or SIGTERM; return 1 after saying what is wrong with the settings."""
    log_to_stderr()
    try:
        stores, importing = read_settings(StoreSettings), read_settings(ImportSettings)
        containers = read_settings(DockerSettings)
        asyncio.run(_work(stores, _named(read_settings(WorkerSettings)), importing, containers))
    except YmirError as error:
        print(error.detail, error.step, file=sys.stderr)
        return 1
    return 0


async def _work(
    stores: StoreSettings, settings: WorkerSettings, importing: ImportSettings, containers: DockerSettings
) -> None:
    stop = stop_requested()
    async with running(stores, settings, importing, containers):
        log.info("working", worker=settings.worker, slots=settings.slots)
        await stop.wait()
        log.info("stopping")
        end_in(STOP_SECONDS)


@asynccontextmanager
async def running(
    stores: StoreSettings,
    settings: WorkerSettings,
    importing: ImportSettings,
    containers: DockerSettings | None = None,
) -> AsyncIterator[None]:
    """Work on the stores, as soon as they are there; what runs at the end is handed over."""
    async with AsyncExitStack() as stack:
        settings = settings.model_copy(update={"work": stack.enter_context(own_part(settings.work))})
        database, blobs, bus = await stack.enter_async_context(open_stores(stores))
        processes = {Runtime.PROCESS: ProcessRuntime()} if settings.process_executors else {}
        docker = stack.enter_context(
            docker_parts(containers or DockerSettings(), database=database, stores=named_stores(stores))
        )
        tools = Toolbox(
            database=database,
            blobs=blobs,
            library=Library(database, blobs),
            cache=BlobCache(blobs, settings.cache, settings.cache_bytes),
            pool=await stack.enter_async_context(open_pool()),
            runtimes={**processes, **docker.runtimes},
            importing=importing,
            sender=await stack.enter_async_context(sender_of(settings)),
            labeling=await stack.enter_async_context(
                labeling_tools(read_settings(LabelingSettings), database=database)
            ),
            bus=bus,
            images=docker.images,
        )
        readiness = Readiness(database, blobs, bus, vital={*VITAL, BUS})
        if settings.health_port:
            health = telling(readiness, host=settings.health_host, port=settings.health_port)
            await stack.enter_async_context(health)
        registered = partial(register, settings.process_executors, database.documents(Executor))
        registering = asyncio.create_task(insist(registered, what="registering executors"))
        stack.callback(registering.cancel)
        event_log = EventLog(database, stores.source)
        work = working(tools, bus=bus, event_log=event_log, settings=settings, reapers=docker.reapers)
        await stack.enter_async_context(work)
        yield


def _named(settings: WorkerSettings) -> WorkerSettings:
    name = settings.worker or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    return settings.model_copy(update={"worker": name, "work": settings.work.absolute()})


if __name__ == "__main__":
    sys.exit(main())
