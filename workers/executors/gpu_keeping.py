"""Keeping order among the GPUs of this machine: what vanished attempts had is taken back, and who waits is rung for."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from schemas.errors import Invalid, Unavailable
from schemas.hosts import GpuLease, Host
from schemas.schema import Id
from schemas.task_states import TaskState
from workers.executors.gpu_host import GpuHost

# An owner that lost its task sees it at its next beat, and then has this long to end what it runs.
END_SECONDS: Final = 5.0

Attempt = tuple[Id, int]
IsGone = Callable[[Id, int], Awaitable[bool]]
log = structlog.get_logger(__name__)


class GpuKeeping:
    """One worker's part in it; every worker of a machine does the same."""

    def __init__(
        self,
        gpus: GpuHost,
        *,
        pause_seconds: float,
        is_gone: Sequence[IsGone] = (),
        gone_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``is_gone`` are asked whether anything of an attempt is left on this machine.

        ``gone_seconds``: for how long an attempt must be seen to be over before they are.
        """
        self._gpus = gpus
        self._pause_seconds = pause_seconds
        self._is_gone = is_gone
        self._gone_seconds = gone_seconds
        self._monotonic = monotonic
        self._stale: dict[Attempt, float] = {}

    async def run(self) -> None:
        """Keep order until cancelled."""
        while True:
            try:
                await self.keep()
            except (Invalid, Unavailable) as error:
                log.warning("leases of GPUs wait for the store", error=error.detail, step=error.step)
            except Exception:
                log.exception("leases of GPUs could not be looked after")
            await asyncio.sleep(self._pause_seconds)

    async def keep(self) -> None:
        """Look once after the leases, and ring for those who need not wait any longer. Raises Unavailable."""
        host = await self._gpus.seen()
        if host is None:
            return
        freed = [attempt for attempt in await self._stale_attempts(host) if await self._has_ended(attempt)]
        if freed:
            log.warning("GPUs of attempts that vanished are taken back", attempts=freed)
            await self._gpus.free(freed)
        await self._gpus.ring(if_silent=True)

    async def _stale_attempts(self, host: Host) -> list[Attempt]:
        """Return the attempts that are no longer current, and were seen to be so for long enough."""
        at = self._monotonic()
        stale = await self._not_current(host.leases)
        self._stale = {attempt: self._stale.get(attempt, at) for attempt in stale}
        return [attempt for attempt, since in self._stale.items() if at - since >= self._gone_seconds]

    async def _not_current(self, leases: Sequence[GpuLease]) -> set[Attempt]:
        attempts = {(lease.task, lease.epoch) for lease in leases}
        tasks = await self._gpus.tasks.get_many(sorted({task for task, _ in attempts}))
        return attempts - {(task.id, task.epoch) for task in tasks if task.state is TaskState.RUNNING}

    async def _has_ended(self, attempt: Attempt) -> bool:
        try:
            return all([await is_gone(*attempt) for is_gone in self._is_gone])
        except Unavailable as error:
            log.warning("GPUs of an attempt are kept, since it may still run", task=attempt[0], error=error.detail)
            return False
