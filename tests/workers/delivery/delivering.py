"""A worker that only delivers: what dispatches events, and what sends them, on stores of a test's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from schemas.tasks import Task
from storage.announcing import Announcer
from storage.beside import beside
from storage.clock import utc_now
from storage.event_log import EventLog
from storage.following import Follower
from storage.ports import Bus, Database
from storage.signs import Signs
from workers.consumer import Consumer
from workers.delivery.dispatching import Dispatcher
from workers.delivery.sending import sender_of
from workers.handlers.deliver import deliver
from workers.runner import Runner
from workers.settings import WorkerSettings
from workers.sweep import Sweep


@asynccontextmanager
async def delivering(
    database: Database, bus: Bus, event_log: EventLog, settings: WorkerSettings
) -> AsyncIterator[Path]:
    """Deliver what comes into the log until the end; yield the folder of attempts."""
    tasks = database.documents(Task)
    announcer = Announcer(tasks, event_log, bus)
    settings.scratch.mkdir(parents=True, exist_ok=True)
    async with sender_of(settings) as sender:
        runner = Runner(
            name=settings.worker or "delivers",
            handlers={"deliver": partial(deliver, database=database, sender=sender)},
            database=database,
            bus=bus,
            announcer=announcer,
            clock=utc_now,
            settings=settings,
        )
        sweep = Sweep(
            tasks=tasks, runner=runner, bus=bus, announcer=announcer, clock=utc_now, settings=settings, is_over={}
        )
        dispatcher = Dispatcher(database=database, bus=bus, clock=utc_now)
        signs = Signs(bus)
        webhooks = Follower("webhooks", dispatcher.dispatch, database=database, event_log=event_log, signs=signs)
        consumer = Consumer(bus=bus, runner=runner, settings=settings)
        async with beside(consumer.run, sweep.run, signs.listen, webhooks.run):
            yield settings.scratch
