"""One container at work: its output, its progress and its limits watched, and its end."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from schemas.errors import Unavailable, YmirError
from workers.executors.container_limits import over_a_limit
from workers.executors.docker_settings import DockerSettings
from workers.executors.engine import Engine
from workers.executors.layout import LOG, MONITOR
from workers.executors.monitor import read_monitor
from workers.executors.output_log import OutputLog
from workers.executors.runtime import Cause, Exit, Order

if TYPE_CHECKING:
    from docker.types import CancellableStream

# An engine that is being restarted has its time; it ends the containers meanwhile, or finds them again.
AWAY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 5.0
DRAIN_SECONDS: Final = 5.0
SIGNALLED: Final = 128
LAST_SIGNAL: Final = 64

log = structlog.get_logger(__name__)


class State(NamedTuple):
    """How a container is."""

    is_running: bool
    code: int
    was_out_of_memory: bool


class ContainerRun:
    """A created container, from its start to its end; removing it is left to the caller."""

    def __init__(
        self,
        engine: Engine,
        container: str,
        order: Order,
        *,
        settings: DockerSettings,
        progress: Callable[[float], None],
        stop: asyncio.Event,
    ) -> None:
        """``stop`` ends it."""
        self._engine = engine
        self._api: Any = engine.client.api
        self._container = container
        self._order = order
        self._settings = settings
        self._progress = progress
        self._stop = stop
        self._furthest = 0.0
        self._was_away = False

    async def attended(self) -> Exit:
        """Start the container and return how it ended. Raises Unavailable, and Invalid if it cannot be started."""
        output = OutputLog(str(self._order.folder.made / LOG), limit=self._settings.log_bytes)
        try:  # before it starts, so that nothing is missed
            stream = await self._engine.call(self._api.attach, self._container, stdout=True, stderr=True, stream=True)
        except YmirError:
            output.close()
            raise
        reading = asyncio.ensure_future(self._engine.call(_taken, stream, output))
        try:
            await self._engine.call(self._api.start, self._container)
            cause = await self._watched(reading)
            state = await self._ended(cause)
        finally:
            with suppress(TimeoutError, Unavailable):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await reading
        if cause is Cause.ENDED and state.was_out_of_memory and state.code:
            cause = Cause.MEMORY_BYTES
        if cause is Cause.ENDED and state.code and self._was_away:
            raise Unavailable("The Docker engine went away and took the container with it.")
        return Exit(_code(state.code), cause)

    async def _watched(self, reading: asyncio.Future[None]) -> Cause:
        """Return why the run is over: it ended, the worker wants it to, or it went over a limit."""
        limits, settings = self._order.executor.limits, self._settings
        deadline = time.monotonic() + (limits.seconds or settings.seconds)
        stopping = asyncio.ensure_future(self._stop.wait())
        looks = asyncio.ensure_future(over_a_limit(self._engine, self._container, self._order, settings=settings))
        following = asyncio.ensure_future(self._follow())
        try:
            while True:
                # What closes its output has most likely ended.
                awaited: set[asyncio.Future[Any]] = {stopping, looks} if reading.done() else {stopping, looks, reading}
                await asyncio.wait(awaited, timeout=settings.poll_seconds, return_when=asyncio.FIRST_COMPLETED)
                if self._stop.is_set():
                    return Cause.STOPPED
                if looks.done():
                    return looks.result()
                if time.monotonic() > deadline:
                    return Cause.SECONDS
                if not (await self._state()).is_running:
                    return Cause.ENDED
        finally:
            for job in (stopping, looks, following):
                job.cancel()
            await asyncio.wait({stopping, looks, following})
            await self._tell_progress()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._settings.poll_seconds)
            await self._tell_progress()

    async def _tell_progress(self) -> None:
        record = await asyncio.to_thread(read_monitor, self._order.folder.made / MONITOR)
        if record is not None and record.fraction > self._furthest:
            self._furthest = record.fraction
            self._progress(self._furthest)

    async def _state(self) -> State:
        """Return how the container is, as soon as the engine says so. Raises Unavailable if that takes too long."""
        since = time.monotonic()
        while True:
            try:
                return await self._engine.call(self._inspected)
            except Unavailable:
                self._was_away = True
                if self._stop.is_set() or time.monotonic() - since > AWAY_SECONDS:
                    raise
            await asyncio.sleep(1.0)

    def _inspected(self) -> State:
        state = self._api.inspect_container(self._container)["State"]
        is_running = state["Status"] in {"created", "running", "paused", "restarting"}
        return State(is_running, int(state["ExitCode"]), bool(state.get("OOMKilled")))

    async def _ended(self, cause: Cause) -> State:
        """End the container, by force after the grace unless it fills a disk, and return how it ended."""
        grace = 0 if cause is Cause.OUTPUT_BYTES else self._settings.grace_seconds
        if cause is not Cause.ENDED:
            try:
                async with asyncio.timeout(grace + STOP_SECONDS):
                    await self._engine.call(self._api.stop, self._container, timeout=round(grace))
            except (TimeoutError, Unavailable) as error:
                log.warning("a container is removed while it runs", task=self._order.task, error=str(error))
                return State(is_running=True, code=SIGNALLED, was_out_of_memory=False)
        return await self._state()


def _taken(stream: "CancellableStream[bytes]", output: OutputLog) -> None:
    try:
        for data in stream:
            output.write(data)
    finally:
        output.close()
        # The stream's own close gives up, with the socket open, where the other side was first.
        stream._response.close()  # type: ignore[attr-defined]  # noqa: SLF001 - as above


def _code(code: int) -> int:
    """Return an exit code; of a signal, its number below zero."""
    return SIGNALLED - code if SIGNALLED < code <= SIGNALLED + LAST_SIGNAL else code
