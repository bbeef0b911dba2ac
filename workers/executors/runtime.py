"""The port of executor runtimes: what runs a registered executor in a prepared folder."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from schemas.executors import Executor
from schemas.schema import Digest, Id
from workers.executors.layout import Layout, RunFolder


class Cause(StrEnum):
    """Why an executor is no longer running."""

    ENDED = "ended"
    """By itself; its exit code says how."""
    STOPPED = "stopped"
    """On request."""
    SECONDS = "seconds"
    OUTPUT_BYTES = "output_bytes"
    MEMORY_BYTES = "memory_bytes"


class Exit(NamedTuple):
    """How a run ended: the exit code (of a signal, its number below zero), and why."""

    code: int
    cause: Cause

    @property
    def is_success(self) -> bool:
        """Whether the executor ended by itself and says that it succeeded."""
        return self.cause is Cause.ENDED and self.code == 0


class Order(NamedTuple):
    """One run: which executor, on which prepared folder, for which attempt, with which devices."""

    executor: Executor
    folder: RunFolder
    task: Id
    epoch: int
    """With the task it names the attempt; whatever carries another is an orphan."""
    devices: Sequence[str] = ()
    """The GPUs that are leased for it, by their NVML UUIDs; inside they are numbered from 0."""
    shared_memory_bytes: int | None = None
    """What the configuration asks for in ``shm_size``."""


class ExecutorRuntime(Protocol):
    """Runs executors of one kind; nothing of a run outlives it."""

    def layout(self, executor: Executor, folder: RunFolder) -> Layout:
        """Return where the executor sees its folders."""

    async def digest(self, executor: Executor) -> Digest | None:
        """Return the digest of what would run now; raise Invalid if it is gone."""

    async def run(self, order: Order, *, progress: Callable[[float], None]) -> Exit:
        """Run an executor on a prepared folder, its output in the folder's log, and tell of its progress.

        Cancelled, it ends the executor within seconds and only then lets the cancellation through.
        """

    async def is_gone(self, task: Id, epoch: int) -> bool:
        """Return whether nothing of an attempt runs on this machine any more, as far as can be seen from here."""
