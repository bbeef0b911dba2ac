"""The process runtime: an executor is a folder, run as ``bash start.sh`` under a supervisor. It is no sandbox."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from schemas.errors import Invalid, Unavailable
from schemas.executors import Executor
from schemas.schema import Digest, Id, Schema
from workers.executors.layout import CONFIGURATION, ENVIRONMENT, LOG, MONITOR, Layout, RunFolder
from workers.executors.monitor import read_monitor
from workers.executors.registry import digest_of_folder
from workers.executors.runtime import Cause, Exit, Order

ROOT: Final = Path(__file__).parents[2]
SUPERVISE: Final = (
    "import sys; sys.path.append(sys.argv[1]); from workers.executors.supervisor import main; main(sys.argv[2])"
)
# Nothing else of the worker's environment reaches an executor: it may hold secrets.
PASSED_ON: Final = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH")
THREAD_COUNTS: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

log = structlog.get_logger(__name__)


class ProcessSettings(Schema):
    """What a run may use unless its executor's own limits say otherwise."""

    seconds: PositiveFloat | None = None
    memory_bytes: PositiveInt | None = None
    output_bytes: PositiveInt = 20 * 2**30
    """Bytes under ``out/``."""
    log_bytes: PositiveInt = 16 * 2**20
    """The beginning of the output that is kept; beyond it only the end is."""
    numeric_threads: PositiveInt = 1
    """Threads that the libraries for arrays may use in one executor."""
    grace_seconds: NonNegativeFloat = 5.0
    """Between being asked to end and being killed."""
    poll_seconds: PositiveFloat = 0.5
    """How often the progress is read."""


class ProcessRuntime:
    """Runs folders with ``img-man/`` and ``start.sh`` as local processes."""

    def __init__(self, settings: ProcessSettings | None = None) -> None:
        self._settings = settings or ProcessSettings()
        self._running: set[tuple[Id, int]] = set()

    def layout(self, executor: Executor, folder: RunFolder) -> Layout:
        """Return the run's own folders: this runtime has no others to show."""
        return Layout(
            root_in=str(folder.given),
            root_out=str(folder.made),
            manual=str(Path(executor.reference) / "img-man"),
        )

    async def digest(self, executor: Executor) -> Digest:
        """Return the digest of the executor's files as they are now; raise Invalid if ``start.sh`` is gone."""
        folder = Path(executor.reference)
        if not (folder / "start.sh").is_file():
            raise Invalid(f"The folder of the executor {executor.name!r} has no start.sh.", step="Register it again.")
        return await asyncio.to_thread(digest_of_folder, folder)

    async def run(self, order: Order, *, progress: Callable[[float], None]) -> Exit:
        """Run ``start.sh``; see the port. Raises Unavailable if no process can be started."""
        attempt = (order.task, order.epoch)
        self._running.add(attempt)
        try:
            return await self._run(order, progress)
        finally:
            self._running.discard(attempt)

    async def is_gone(self, task: Id, epoch: int) -> bool:
        """Return whether this process runs nothing of an attempt; what others ran ends with them."""
        return (task, epoch) not in self._running

    async def _run(self, order: Order, progress: Callable[[float], None]) -> Exit:
        environment = self.environment(order.folder, devices=order.devices)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                "-c",
                SUPERVISE,
                str(ROOT),
                json.dumps(self._order(order.executor, order.folder)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise Unavailable(f"The executor cannot be started: {error}.") from error
        watching = asyncio.create_task(self._watch(order.folder.made / MONITOR, progress))
        try:
            told = await _told_by(process)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        return _exit_of(told)

    def environment(self, folder: RunFolder, *, devices: Sequence[str] = ()) -> dict[str, str]:
        """Return all environment variables that an executor has."""
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        threads = dict.fromkeys(THREAD_COUNTS, str(self._settings.numeric_threads))
        return {
            **passed_on,
            **threads,
            "DEFAULT_ENV_FILE_PATH": str(folder.given / ENVIRONMENT),
            "DEFAULT_CONFIG_FILE_PATH": str(folder.given / CONFIGURATION),
            "PYTHON": sys.executable,
            "PYTHONHASHSEED": "0",
            "PYTHONUNBUFFERED": "1",
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "CUDA_VISIBLE_DEVICES": ",".join(devices),
            "HOME": str(folder.root),
            "TMPDIR": str(folder.root),
        }

    def _order(self, executor: Executor, folder: RunFolder) -> dict[str, object]:
        limits, settings = executor.limits, self._settings
        return {
            "command": ["bash", str(Path(executor.reference) / "start.sh")],
            "folder": str(folder.root),
            "log": str(folder.made / LOG),
            "log_bytes": settings.log_bytes,
            "seconds": limits.seconds or settings.seconds,
            "output": str(folder.made),
            "output_bytes": limits.output_bytes or settings.output_bytes,
            "memory_bytes": limits.memory_bytes or settings.memory_bytes,
            "grace_seconds": settings.grace_seconds,
        }

    async def _watch(self, monitor: Path, progress: Callable[[float], None]) -> None:
        furthest = 0.0
        while True:
            await asyncio.sleep(self._settings.poll_seconds)
            record = await asyncio.to_thread(read_monitor, monitor)
            if record is not None and record.fraction > furthest:
                furthest = record.fraction
                progress(furthest)


async def _told_by(process: asyncio.subprocess.Process) -> tuple[bytes, bytes]:
    """Return what a supervisor says when it ends; cancelled, close its pipe and wait until it has ended everything."""
    if process.stdin is None or process.stdout is None or process.stderr is None:
        message = "a supervisor is started with pipes"
        raise ValueError(message)
    ending = asyncio.ensure_future(_ended(process, process.stdout, process.stderr))
    try:
        return await asyncio.shield(ending)
    finally:
        process.stdin.close()
        await ending
        with suppress(OSError):
            await process.stdin.wait_closed()


async def _ended(
    process: asyncio.subprocess.Process, output: asyncio.StreamReader, errors: asyncio.StreamReader
) -> tuple[bytes, bytes]:
    told, complaint = await asyncio.gather(output.read(), errors.read())
    await process.wait()
    return told, complaint


def _exit_of(told: tuple[bytes, bytes]) -> Exit:
    answer, complaint = told
    try:
        said = json.loads(answer)
        return Exit(code=int(said["code"]), cause=Cause(said["cause"]))
    except (ValueError, KeyError, TypeError) as error:
        log.exception("supervisor of an executor died", complaint=complaint.decode(errors="replace")[-2000:])
        raise Unavailable(
            "The process that watches over the executor was killed.", step="See whether the machine ran out of memory."
        ) from error
