"""Hosts: machines with GPUs, and who has been given them."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, Self

from pydantic import NonNegativeInt, PositiveInt

from schemas.schema import Document, Id, Instant, Schema


class HostGpu(Schema):
    """A GPU as its driver tells of it."""

    uuid: str
    index: NonNegativeInt
    name: str = ""
    memory_bytes: PositiveInt


class GpuLease(Schema):
    """A GPU that an attempt at a task has, alone or with others."""

    task: Id
    epoch: NonNegativeInt
    gpu: str
    """The UUID of the GPU."""
    memory_bytes: PositiveInt | None = None
    """How much of its memory was asked for; None: the GPU is this attempt's alone."""
    since: Instant


class Host(Document):
    """A machine with GPUs. Its leases change by compare-and-set alone: that is what keeps two from one GPU."""

    KIND: ClassVar[str] = "host"
    INDEXED: ClassVar[tuple[str, ...]] = ("name", "seen_at")

    id: Id
    name: str
    gpus: tuple[HostGpu, ...] = ()
    leases: tuple[GpuLease, ...] = ()
    seen_at: Instant
    """When a worker of it last said that it is there; to the hour."""

    def leased_to(self, task: Id, epoch: int) -> tuple[str, ...]:
        """Return the GPUs that an attempt has, by their UUIDs."""
        return tuple(lease.gpu for lease in self.leases if (lease.task, lease.epoch) == (task, epoch))

    def with_leases(self, leases: Iterable[GpuLease]) -> Self:
        """Return this host with more leases."""
        return self.successor(leases=(*self.leases, *leases))

    def without_leases(self, attempts: Iterable[tuple[Id, int]]) -> Self:
        """Return this host without the leases of some attempts."""
        freed = frozenset(attempts)
        return self.successor(leases=tuple(one for one in self.leases if (one.task, one.epoch) not in freed))

    def seen(self, gpus: Iterable[HostGpu], *, at: datetime) -> Self:
        """Return this host as one of its workers sees it; another may be shown other GPUs, which stay."""
        known = {gpu.uuid: gpu for gpu in (*self.gpus, *gpus)}
        return self.successor(gpus=tuple(sorted(known.values(), key=lambda gpu: (gpu.index, gpu.uuid))), seen_at=at)
