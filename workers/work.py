"""What a handler is given: its task, a place to work in, and ways to report and to be stopped."""

from enum import Enum, auto
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from schemas.parameters import Parameters
from schemas.tasks import Progress, Task
from storage.ports import Clock

P_co = TypeVar("P_co", bound=Parameters, covariant=True)


class Stopping(Enum):
    """Why a handler is stopped."""

    CANCELLED = auto()
    """Somebody cancelled the task: what was collected so far may be returned as the outcome."""
    LOST = auto()
    """Another worker has the task: write nothing."""
    HANDED_OVER = auto()
    """This worker is to end: another will start the task anew."""


class Busy(Exception):
    """What the work needs is in use; ``waiting_for`` says what that is.

    It is no failure: the task goes back into the queue, and that counts as no try.
    """

    def __init__(self, waiting_for: str) -> None:
        super().__init__(waiting_for)
        self.waiting_for = waiting_for


class Gpus(Protocol):
    """What gives GPUs to attempts at tasks. Every method raises Unavailable."""

    async def take(self, task: Task) -> tuple[str, ...]:
        """Return the UUIDs of the GPUs that an attempt has from now on; raise Busy."""

    async def release(self, task: Task) -> None:
        """Take back what an attempt has: nothing of it runs any more."""

    async def may_run(self, task: Task) -> bool:
        """Return whether to claim a queued task here and now."""


class Work(Generic[P_co]):
    """One attempt at a task. A handler that is stopped gets ``asyncio.CancelledError``; ``stopping`` says why."""

    def __init__(self, task: Task, parameters: P_co, *, scratch: Path, now: Clock, gpus: Gpus | None = None) -> None:
        self.task = task
        self.parameters = parameters
        self.scratch = scratch
        """A folder of its own, gone afterwards."""
        self.now = now
        self.gpus = gpus
        self.stopping: Stopping | None = None
        self.is_logging = False
        """Whether the log of an executor is kept while it grows, to be forgotten with the end."""
        self.reported = task.progress

    def progress(self, fraction: float, phase: str = "") -> None:
        """Say how far the work is, from 0 to 1; it is kept and announced at most once a second."""
        self.reported = Progress(fraction=min(max(fraction, 0.0), 1.0), phase=phase)
