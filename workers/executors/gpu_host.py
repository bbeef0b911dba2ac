"""The GPUs of this machine as its workers share them: given to attempts, taken back, and waited for."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from schemas.errors import Conflict, Invalid, NotFound
from schemas.hosts import GpuLease, Host, HostGpu
from schemas.model_parameters import UsesExecutor
from schemas.parameters import Slot
from schemas.schema import Id, derived_id, to_text
from schemas.task_states import TaskState
from schemas.tasks import Task
from storage.contested import added, changed
from storage.ports import Bus, Clock, Database, Query
from workers.executors.gpus import Nvml
from workers.executors.leases import Asked, Room, choose, in_turn, rooms_of
from workers.executors.waiting_words import what_it_waits_for
from workers.work import Busy

# The same for all containers of a machine, another after each start: by then nothing runs that had a lease.
BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
# So many of the tasks that wait for GPUs are looked at, the oldest: there are seldom more GPUs than that to be given.
FIRST_IN_LINE: Final = 200
SEEN: Final = timedelta(hours=1)
NOTHING: Final = Asked(0)

log = structlog.get_logger(__name__)


def asked_by(task: Task) -> Asked | None:
    """Return what a task asks for in GPUs; None: nothing."""
    parameters = task.parameters
    if not isinstance(parameters, UsesExecutor) or not parameters.gpus:
        return None
    return Asked(parameters.gpus, parameters.gpu_memory_bytes)


class GpuHost:
    """Gives the GPUs of this machine to attempts at tasks; whatever its other workers do, no two get the same."""

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        clock: Clock,
        name: str = "",
        is_alone: bool = False,
        nvml: Nvml | None = None,
    ) -> None:
        """``name`` must be the same for all workers of a machine; else the machine's present start is its name.

        ``is_alone``: there is no other worker, so what this machine is too small for can never be run.
        """
        self.id = derived_id("host", name or _boot())
        self.hosts = database.documents(Host)
        self.tasks = database.documents(Task)
        self._name = name or socket.gethostname()
        self._bus = bus
        self._now = clock
        self._is_alone = is_alone
        self._nvml = nvml or Nvml()
        self._lock = asyncio.Lock()

    async def take(self, task: Task) -> tuple[str, ...]:
        """Return the UUIDs of the GPUs that an attempt has from now on; none if it asks for none.

        Raise Busy if they are in use or kept for an older task, or the machine is too small; Unavailable.
        """
        asked = asked_by(task)
        if asked is None:
            return ()
        async with self._lock:
            while await self._nvml.gpus():
                host = await self.known()
                taken = host.leased_to(task.id, task.epoch)
                if taken:  # the answer to the write was lost on its way
                    return taken
                chosen = await self._chosen(host, task, asked)
                if chosen is None:
                    break
                leases = [self._lease(task, gpu, asked) for gpu in chosen]
                with suppress(Conflict):
                    await self.hosts.replace(host.with_leases(leases), was=host)
                    log.info("GPUs were leased", gpus=chosen)
                    return chosen
        raise await self._waiting(asked)

    async def release(self, task: Task) -> None:
        """Take back what an attempt has, and ring for those who waited for it. Raises Unavailable."""
        if asked_by(task) is not None:
            await self.free([(task.id, task.epoch)])
            await self.ring()

    async def free(self, attempts: Sequence[tuple[Id, int]]) -> None:
        """Take back what some attempts have. Raises Unavailable."""

        def freed(host: Host) -> Host:
            has_some = any(host.leased_to(*attempt) for attempt in attempts)
            return host.without_leases(attempts) if has_some else host

        with suppress(NotFound):
            await changed(self.hosts, partial(self.hosts.get, self.id), freed)

    async def may_run(self, task: Task) -> bool:
        """Return whether to claim a queued task here and now: one that was found to wait, only if it need not longer.

        Raises Unavailable.
        """
        asked = asked_by(task)
        if asked is None or not task.waiting_for:
            return True
        host = await self._host()
        if host is not None and await self._chosen(host, task, asked) is not None:
            return True
        # What waits in vain is to be told of that.
        return self._is_alone and not what_it_waits_for(asked, [await self._gpus()]).is_enough

    async def ring(self, *, if_silent: bool = False) -> None:
        """Ring for the queued tasks that would get their GPUs now; ``if_silent``: unless other doorbells wait.

        Raises Unavailable.
        """
        ready = await self._ready()
        if ready and if_silent and await self._bus.waiting(Slot.GPU):
            return  # nobody has a slot free; more doorbells would help nobody
        for task in ready:
            await self._bus.ring(task.doorbell())

    async def known(self) -> Host:
        """Return this machine's document, made if there is none yet. Raises Unavailable."""
        host = await self._host()
        if host is not None:
            return host
        gpus = tuple(await self._gpus())
        return await added(Host(id=self.id, name=self._name, gpus=gpus, seen_at=self._now()), self.hosts)

    async def seen(self) -> Host | None:
        """Return this machine's document, which says that it is there and with which GPUs; None: it has none.

        Raises Unavailable.
        """
        gpus = await self._gpus()
        if not gpus:
            return None
        host = await self.known()
        if self._now() - host.seen_at < SEEN and set(gpus) <= set(host.gpus):
            return host
        with suppress(Conflict):
            await self.hosts.replace(host.seen(gpus, at=self._now()), was=host)
        return await self.known()

    async def _host(self) -> Host | None:
        with suppress(NotFound):
            return await self.hosts.get(self.id)
        return None

    async def _ready(self) -> list[Task]:
        host = await self._host()
        rooms = await self._rooms(host) if host else ()
        if not any(room.free_bytes for room in rooms):
            return []
        line = await self._line()
        turns = in_turn(rooms, [asked_by(task) or NOTHING for task in line])
        return [task for task, chosen in zip(line, turns, strict=True) if chosen]

    async def _rooms(self, host: Host) -> tuple[Room, ...]:
        return rooms_of(await self._nvml.gpus(), host.leases)

    async def _chosen(self, host: Host, task: Task, asked: Asked) -> tuple[str, ...] | None:
        rooms = await self._rooms(host)
        if choose(rooms, asked) is None:
            return None
        older = [asked_by(one) for one in await self._line(before=task)]
        return choose(rooms, asked, older=[one or NOTHING for one in older])

    async def _line(self, *, before: Task | None = None) -> list[Task]:
        """Return the queued tasks that could be run if there were GPUs, the oldest first."""
        line = Query(
            equal={"state": TaskState.QUEUED, "slot": Slot.GPU},
            below={} if before is None else {"created_at": to_text(before.created_at)},
        )
        page = await self.tasks.list(line, order="created_at", limit=FIRST_IN_LINE)
        now = self._now()
        return [task for task in page.items if task.not_before is None or task.not_before <= now]

    async def _waiting(self, asked: Asked) -> Busy | Invalid:
        if not self._is_alone:
            machines = [host.gpus for host in (await self.hosts.list(limit=1_000)).items]
            return Busy(what_it_waits_for(asked, machines).words)
        words, is_enough = what_it_waits_for(asked, [await self._gpus()])
        if is_enough:
            return Busy(words)
        return Invalid(f"The task asks for {words}.", step="Ask for what the machine has.")

    async def _gpus(self) -> list[HostGpu]:
        return [gpu.described() for gpu in await self._nvml.gpus()]

    def _lease(self, task: Task, gpu: str, asked: Asked) -> GpuLease:
        return GpuLease(task=task.id, epoch=task.epoch, gpu=gpu, memory_bytes=asked.memory_bytes, since=self._now())


def _boot() -> str:
    try:
        return BOOT.read_text().strip()
    except OSError:
        return socket.gethostname()
