"""One run of an executor for a task: chosen, checked, run, its log kept, its failure told."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from schemas.annotations import ObjectType
from schemas.blobs import BlobRef
from schemas.errors import Fault, Invalid, NotFound, YmirError
from schemas.executors import Executor, Purpose, Runtime
from schemas.live_logs import LiveLog
from schemas.model_parameters import UsesExecutor
from schemas.outcomes import Outcome
from schemas.problems import Problem
from schemas.schema import Digest
from storage.ports import Blobs, Database, Documents, Query
from workers.executors.layout import LOG, MONITOR, Layout, RunFolder
from workers.executors.live_log import kept_live
from workers.executors.monitor import FAILED, meaning, read_monitor
from workers.executors.older_layouts import add_older_paths
from workers.executors.output_folder import made_safe
from workers.executors.runtime import Cause, ExecutorRuntime, Exit, Order
from workers.failures import STATUS
from workers.work import P_co, Stopping, Work

LINES_TOLD: Final = 5
TAIL_BYTES: Final = 65_536
# Of the whole of a task: what comes before the executor runs, and where it has ended.
PREPARED: Final = 0.1
RAN: Final = 0.95

Runtimes = Mapping[Runtime, ExecutorRuntime]


class Run(NamedTuple):
    """An executor that can do what is asked, and the folder for it."""

    executor: Executor
    digest: Digest | None
    """That of its files as they are now."""
    runtime: ExecutorRuntime
    folder: RunFolder
    layout: Layout
    warnings: tuple[str, ...]
    logs: Documents[LiveLog]
    """Where its log is kept while it grows."""
    devices: tuple[str, ...] = ()
    """The GPUs that the attempt has, by their UUIDs."""


class Executed(NamedTuple):
    """How a run went: its log and, unless it succeeded, why not."""

    log: BlobRef | None
    error: Invalid | None
    cancelled: bool
    warnings: tuple[str, ...]

    def outcome(self, error: YmirError | None = None) -> Outcome:
        """Return the outcome of a run without anything to keep: cancelled, or failed by its own error or this one."""
        if self.cancelled:
            return Outcome(cancelled=True, log=self.log, warnings=self.warnings)
        return Outcome(problem=problem_of(self.error or error), log=self.log, warnings=self.warnings)


async def open_run(
    work: Work[P_co],
    parameters: UsesExecutor,
    *,
    purposes: frozenset[Purpose],
    object_type: ObjectType,
    database: Database,
    runtimes: Runtimes,
) -> Run:
    """Return the run of a task's executor in an empty folder, with the GPUs that the task asks for.

    Raise NotFound, Invalid if the executor cannot do this, or Busy if the GPUs are in use.
    """
    executor = await _executor(parameters.executor, database)
    templates = executor.templates_for(object_type)
    missing = sorted(purposes - set(templates))
    if missing:
        able = ", ".join(templates)
        raise Invalid(
            f"The executor {executor.name!r} has no template for {', '.join(missing)}; it has {able}.",
            step="Name another executor.",
        )
    if object_type not in executor.object_types:
        known = ", ".join(executor.object_types)
        raise Invalid(
            f"The executor {executor.name!r} is for {known}, and the project is for {object_type}.",
            step="Name another executor.",
        )
    if executor.runtime not in runtimes:
        raise Invalid(
            f"Executors of the runtime {executor.runtime} are not run by this worker.",
            step="Have an administrator turn that runtime on, or name another executor.",
        )
    runtime = runtimes[executor.runtime]
    digest = await runtime.digest(executor)
    devices = await _devices(work, parameters)
    folder = RunFolder(work.scratch)
    await asyncio.to_thread(folder.prepare)
    layout, logs = runtime.layout(executor, folder), database.documents(LiveLog)
    return Run(executor, digest, runtime, folder, layout, _changed(executor, digest), logs, devices)


async def execute(
    work: Work[P_co],
    run: Run,
    *,
    shared_memory_bytes: int | None = None,
    phase: str,
    blobs: Blobs,
) -> Executed:
    """Run an executor whose input is written, and keep its log.

    When the task is cancelled the run is ended and what is there can be collected. When it was lost or is handed over
    the run is ended too, and the cancellation goes on.
    """
    cancelled, work.is_logging = False, True
    log_file = run.folder.made / LOG
    await asyncio.to_thread(add_older_paths, run.folder, protocol=run.executor.protocol)
    try:
        async with kept_live(log_file, work.task, logs=run.logs, now=work.now):
            ended = await run.runtime.run(
                Order(run.executor, run.folder, work.task.id, work.task.epoch, run.devices, shared_memory_bytes),
                progress=lambda fraction: work.progress(PREPARED + (RAN - PREPARED) * fraction, phase),
            )
    except asyncio.CancelledError:
        if work.stopping is not Stopping.CANCELLED:
            await asyncio.to_thread(made_safe, run.folder.made)  # or its folder could not be removed
            raise
        ended, cancelled = Exit(0, Cause.STOPPED), True
    work.progress(RAN, "collecting")
    left_out = await asyncio.to_thread(made_safe, run.folder.made)
    log = await blobs.put_file(log_file, media_type="text/plain") if log_file.is_file() else None
    monitor = await asyncio.to_thread(read_monitor, run.folder.made / MONITOR)
    warnings = ((monitor.fault,) if monitor is not None and monitor.fault else ()) + left_out
    has_failed = not ended.is_success or (monitor is not None and monitor.state == FAILED)
    if cancelled or not has_failed:
        return Executed(log, None, cancelled, warnings)
    error = await asyncio.to_thread(_failure, ended, run)
    return Executed(log, error, cancelled, warnings)


def problem_of(error: YmirError | None) -> Problem | None:
    """Return the problem of an error, if there is one."""
    return None if error is None else Problem.of(error, status=STATUS[type(error)])


async def _executor(name: str, database: Database) -> Executor:
    executors = database.documents(Executor)
    found = await executors.list(Query(equal={"name": name}), order="name", limit=1)
    if not found.items:
        known = [executor.name for executor in (await executors.list(order="name", limit=20)).items]
        raise NotFound("executor", name, step=f"Registered are: {', '.join(known) or 'none'}.")
    return found.items[0]


async def _devices(work: Work[P_co], parameters: UsesExecutor) -> tuple[str, ...]:
    """Return the GPUs for an attempt: before its input is written, which would be for nothing if it has to wait."""
    if not parameters.gpus:
        return ()
    if work.gpus is None:
        raise Invalid("Nothing here gives out GPUs.", step="Ask for none.")
    return await work.gpus.take(work.task)


def _changed(executor: Executor, digest: Digest | None) -> tuple[str, ...]:
    if executor.digest in {None, digest}:
        return ()
    return (f"The files of the executor {executor.name!r} have changed since it was registered.",)


def _failure(ended: Exit, run: Run) -> Invalid:
    monitor = read_monitor(run.folder.made / MONITOR)
    lines = _last_lines(run.folder.made / LOG)
    faults = [Fault(line, LOG) for line in lines]
    said = ""
    if monitor is not None and monitor.code is not None and monitor.state == FAILED:
        said = f" It said {monitor.code}: {meaning(monitor.code)}."
    if monitor is not None and monitor.message:
        faults.append(Fault(monitor.message[:1_000], MONITOR))
    return Invalid(
        f"The executor {run.executor.name!r} {_ending(ended)}.{said}",
        step="See the last lines of its log in errors, and all of it under the task's log.",
        faults=faults,
    )


def _ending(ended: Exit) -> str:
    if ended.is_success:
        return "ended as if all were well, and says that it failed"
    told = {
        Cause.STOPPED: "was stopped from outside",
        Cause.SECONDS: "took longer than it may and was ended",
        Cause.OUTPUT_BYTES: "wrote more than it may and was ended",
        Cause.MEMORY_BYTES: "used more memory than it may and was ended",
    }
    if ended.cause in told:
        return told[ended.cause]
    return f"was killed by signal {-ended.code}" if ended.code < 0 else f"ended with exit code {ended.code}"


def _last_lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line[:1_000] for line in text.splitlines() if line.strip()][-LINES_TOLD:]
