"""The gateway on a data folder: what it works with, and, for commands that only read, itself."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NoReturn

from pydantic import SecretStr

from client.data_blobs import blobs_of
from client.data_folder import DOCUMENTS, with_data
from client.secret_files import LINK_KEY, secret
from gateway.app import build_app
from gateway.services import Services
from gateway.serving import answering
from gateway.settings import GatewaySettings
from schemas.errors import Unavailable
from schemas.executors import Executor, ExecutorSubmission
from schemas.schema import derived_id
from schemas.tasks import Task
from storage.announcing import Announcer
from storage.clock import utc_now
from storage.datasets.library import Library
from storage.event_log import EventLog
from storage.labeling.settings import LabelingSettings
from storage.local_bus import LocalBus
from storage.ports import Database
from storage.process import bound_to, log_to_stderr
from storage.readiness import VITAL, Readiness
from storage.settings import read_settings
from storage.sqlite import open_database

HOST: Final = "127.0.0.1"


def services_of(
    data: Path,
    *,
    database: Database,
    public_url: str,
    import_roots: tuple[Path, ...] = (),
    inspect_executor: Callable[[ExecutorSubmission], Awaitable[Executor]],
) -> Services:
    """Return what the gateway works with on a data folder."""
    blobs, bus = blobs_of(data), LocalBus()
    event_log = EventLog(database, source=f"urn:ymir:{derived_id('deployment', secret(data, LINK_KEY))}")
    return Services(
        database=database,
        blobs=blobs,
        bus=bus,
        library=Library(database, blobs),
        event_log=event_log,
        clock=utc_now,
        settings=GatewaySettings(
            link_key=SecretStr(secret(data, LINK_KEY)),
            public_url=public_url,
            import_roots=import_roots,
            spool=data / "spool",
            request_takeover_seconds=0.0,  # what an earlier process left unanswered, nobody is answering now
        ),
        readiness=Readiness(database, blobs, bus, vital=VITAL),
        inspect_executor=inspect_executor,
        announce=Announcer(database.documents(Task), event_log, bus).announce,
        labeling=_labeling(public_url),
    )


@asynccontextmanager
async def readable(data: Path) -> AsyncIterator[str]:
    """Answer what is read of a data folder, whoever owns it; yield the address.

    No task runs, nothing is swept, and nothing is written but derived statistics. Raise Invalid if nothing is there.
    """
    data = with_data(data)
    log_to_stderr(level=logging.WARNING, in_words=True)
    with bound_to(HOST, 0, step="") as bound:
        url = f"http://{HOST}:{bound.getsockname()[1]}"
        async with open_database(data / DOCUMENTS) as database:
            services = services_of(data, database=database, public_url=url, inspect_executor=_unasked)
            async with answering(build_app(services), bound):
                yield url


def _labeling(public_url: str) -> LabelingSettings:
    """Return the tools, which reach the gateway where it is unless the settings know another way there."""
    settings = read_settings(LabelingSettings)
    is_given = "public_url" in settings.model_fields_set
    return settings if is_given else settings.model_copy(update={"public_url": public_url})


async def _unasked(_: ExecutorSubmission) -> NoReturn:
    raise Unavailable("This process only reads.", step="Ask a service that runs tasks.")
