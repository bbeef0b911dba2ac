"""A worker whose every task does nothing: ``python -m tests.bench.no_op_worker``, with the settings of a real one."""

import asyncio
from typing import Any

from schemas.outcomes import Outcome
from schemas.tasks import Task
from storage.announcing import Announcer
from storage.clock import utc_now
from storage.event_log import EventLog
from storage.process import log_to_stderr, stop_requested
from storage.production import open_stores
from storage.settings import StoreSettings, read_settings
from workers.consumer import Consumer
from workers.runner import Runner
from workers.settings import WorkerSettings
from workers.sweep import Sweep
from workers.work import Work


async def nothing(_: Work[Any]) -> Outcome:
    """Succeed."""
    return Outcome()


async def main() -> None:
    """Work until told to stop."""
    log_to_stderr()
    stop = stop_requested()
    stores, settings = read_settings(StoreSettings), read_settings(WorkerSettings)
    settings.scratch.mkdir(parents=True, exist_ok=True)
    async with open_stores(stores) as (database, _, bus):
        tasks = database.documents(Task)
        announcer = Announcer(tasks, EventLog(database, stores.source), bus)
        runner = Runner(
            name="no-op",
            handlers={"sample": nothing},
            database=database,
            bus=bus,
            announcer=announcer,
            clock=utc_now,
            settings=settings,
        )
        sweep = Sweep(
            tasks=tasks, runner=runner, bus=bus, announcer=announcer, clock=utc_now, settings=settings, is_over={}
        )
        jobs = [
            asyncio.ensure_future(job()) for job in (Consumer(bus=bus, runner=runner, settings=settings).run, sweep.run)
        ]
        await stop.wait()
        for job in jobs:
            job.cancel()
        await asyncio.wait(jobs)


if __name__ == "__main__":
    asyncio.run(main())
