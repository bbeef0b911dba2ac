"""The gateway as a process of the production profile: ``python -m gateway``."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

import structlog
from pydantic import SecretStr

from gateway.admin_key import make_known
from gateway.app import build_app
from gateway.rules import acting_on_rules
from gateway.services import Services
from gateway.serving import answering
from gateway.settings import GatewaySettings
from schemas.errors import Invalid, YmirError
from schemas.executors import Executor, ExecutorSubmission, Runtime
from schemas.keys import ApiKey
from schemas.tasks import Task
from storage.announcing import Announcer
from storage.clock import utc_now
from storage.datasets.library import Library
from storage.event_log import EventLog
from storage.insisting import insist
from storage.labeling.settings import LabelingSettings
from storage.ports import Documents
from storage.process import bound_to, end_in, log_to_stderr, stop_requested
from storage.production import open_stores
from storage.readiness import VITAL, Readiness
from storage.settings import StoreSettings, read_settings

STOP_SECONDS: Final = 15.0
"""How long the process may take to end."""

log = structlog.get_logger(__name__)


def main() -> int:
    """Run the gateway until SIGINT or SIGTERM; return 1 after saying what is wrong with its settings."""
    log_to_stderr()
    try:
        asyncio.run(_serve(read_settings(StoreSettings), read_settings(GatewaySettings)))
    except YmirError as error:
        print(error.detail, error.step, file=sys.stderr)
        return 1
    return 0


async def _serve(stores: StoreSettings, settings: GatewaySettings) -> None:
    stop = stop_requested()
    async with running(stores, settings):
        log.info("listening", host=settings.host, port=settings.port, docs=f"{settings.public_url}/docs")
        await stop.wait()
        log.info("stopping")
        end_in(STOP_SECONDS)


@asynccontextmanager
async def running(stores: StoreSettings, settings: GatewaySettings) -> AsyncIterator[None]:
    """Answer requests, whether the stores are there yet or not: ``/readyz`` tells."""
    async with AsyncExitStack() as stack:
        database, blobs, bus = await stack.enter_async_context(open_stores(stores))
        event_log = EventLog(database, stores.source)
        knowing = _knowing(settings.admin_key, database.documents(ApiKey))
        stack.callback(knowing.cancel)
        services = Services(
            database=database,
            blobs=blobs,
            bus=bus,
            library=Library(database, blobs),
            event_log=event_log,
            clock=utc_now,
            settings=settings,
            readiness=Readiness(database, blobs, bus, vital=VITAL, has_begun=knowing.done),
            inspect_executor=_inspect,
            announce=Announcer(database.documents(Task), event_log, bus).announce,
            labeling=read_settings(LabelingSettings),
        )
        bound = stack.enter_context(bound_to(settings.host, settings.port, step="Choose another YMIR_PORT."))
        await stack.enter_async_context(answering(acting_on_rules(build_app(services)), bound))
        yield


def _knowing(secret: SecretStr | None, keys: Documents[ApiKey]) -> asyncio.Task[None]:
    async def know() -> None:
        if secret is not None:
            known = partial(make_known, secret.get_secret_value(), keys, at=utc_now())
            await insist(known, what="the administrator's key")

    return asyncio.create_task(know())


async def _inspect(submission: ExecutorSubmission) -> Executor:
    step = (
        "Ask for the task pull_executor (`ymir pull-executor`), which a worker with a Docker engine does."
        if submission.runtime is Runtime.DOCKER
        else "Name its folder in YMIR_PROCESS_EXECUTORS of the workers, which register it when they start."
    )
    raise Invalid(f"The gateway cannot look into the executor {submission.reference!r}.", step=step)


if __name__ == "__main__":
    sys.exit(main())
