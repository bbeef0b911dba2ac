"""A worker at work: it answers doorbells, sweeps, keeps house and what is none of ours."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from schemas.parameters import Slot
from schemas.tasks import Task
from storage.announcing import Announcer
from storage.beside import beside
from storage.clock import utc_now
from storage.event_log import EventLog
from storage.following import Follower
from storage.ports import Bus
from storage.signs import Signs
from workers.consumer import Consumer
from workers.dead_letters import DeadLetters
from workers.delivery.dispatching import Dispatcher
from workers.executors.gpu_host import GpuHost
from workers.executors.gpu_keeping import END_SECONDS, GpuKeeping
from workers.executors.reaper import Reaper
from workers.housekeeping import Housekeeping
from workers.runner import Runner
from workers.settings import WorkerSettings
from workers.sweep import Sweep
from workers.toolbox import Toolbox, handlers, what_is_over


@asynccontextmanager
async def working(
    tools: Toolbox,
    *,
    bus: Bus,
    event_log: EventLog,
    settings: WorkerSettings,
    reapers: Sequence[Reaper] = (),
    alone: bool = False,
) -> AsyncIterator[None]:
    """Work until the end, and hand over then what runs.

    ``alone``: no other process can be running tasks, so those that run were left by an earlier one.
    """
    tasks = tools.database.documents(Task)
    announcer = Announcer(tasks, event_log, bus)
    gpus = GpuHost(database=tools.database, bus=bus, clock=utc_now, name=settings.machine, is_alone=alone)
    runner = Runner(
        name=settings.worker,
        handlers=handlers(tools),
        database=tools.database,
        bus=bus,
        announcer=announcer,
        clock=utc_now,
        settings=settings,
        gpus=gpus,
    )
    sweep = Sweep(
        tasks=tasks,
        runner=runner,
        bus=bus,
        announcer=announcer,
        clock=utc_now,
        settings=settings,
        is_over=what_is_over(tools.database),
    )
    consumer = Consumer(bus=bus, runner=runner, settings=settings)
    housekeeping = Housekeeping(database=tools.database, event_log=event_log, clock=utc_now, settings=settings)
    dead_letters = DeadLetters(database=tools.database, blobs=tools.blobs, bus=bus, clock=utc_now)
    dispatcher = Dispatcher(database=tools.database, bus=bus, clock=utc_now)
    signs = Signs(bus)
    webhooks = Follower("webhooks", dispatcher.dispatch, database=tools.database, event_log=event_log, signs=signs)
    jobs = [signs.listen, consumer.run, sweep.run, housekeeping.run, dead_letters.run, webhooks.run]
    jobs += [reaper.run for reaper in reapers]
    if Slot.GPU in settings.slots:
        jobs.append(_keeping(gpus, tools, settings=settings, alone=alone).run)
    if alone:
        await sweep.take_all()
    async with beside(*jobs):
        yield


def _keeping(gpus: GpuHost, tools: Toolbox, *, settings: WorkerSettings, alone: bool) -> GpuKeeping:
    return GpuKeeping(
        gpus,
        pause_seconds=settings.sweep_seconds,
        is_gone=[runtime.is_gone for runtime in tools.runtimes.values()],
        gone_seconds=0.0 if alone else settings.beat_seconds + END_SECONDS,
    )
