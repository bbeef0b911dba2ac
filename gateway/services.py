"""What the gateway works with, and the keys under which an application has it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from gateway.settings import GatewaySettings
from schemas.executors import Executor, ExecutorSubmission
from schemas.keys import ApiKey, Role
from schemas.tasks import Task
from storage.datasets.library import Library
from storage.event_log import EventLog
from storage.labeling.settings import LabelingSettings
from storage.ports import Blobs, Bus, Clock, Database
from storage.readiness import Readiness

InspectExecutor = Callable[[ExecutorSubmission], Awaitable[Executor]]
Announce = Callable[[Task], Awaitable[Task]]


@dataclass(frozen=True, kw_only=True)
class Services:
    """The ports that the composition root opened for the gateway."""

    database: Database
    blobs: Blobs
    bus: Bus
    library: Library
    event_log: EventLog
    clock: Clock
    settings: GatewaySettings
    inspect_executor: InspectExecutor
    """Reads the templates of an executor; raises Invalid where it is none, or may not be registered."""
    announce: Announce
    """Tells of what happened to a task, and returns the task without what was told."""
    readiness: Readiness
    labeling: LabelingSettings = field(default_factory=LabelingSettings)


SERVICES: Final = web.AppKey("services", Services)
CALLER: Final = web.RequestKey("caller", ApiKey)
"""The key that a request bears; that of a job for the hooks of labeling tools."""
ROLE: Final = web.RequestKey("role", Role)
"""The role by which the key may do what the request asks."""
