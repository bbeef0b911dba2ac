"""What a task that waits for GPUs waits for, in words."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from schemas.counts import counted
from schemas.hosts import HostGpu
from workers.executors.leases import Asked

GIB: Final = 2**30


class Waits(NamedTuple):
    """What is waited for, and whether there is a machine that could ever give it."""

    words: str
    is_enough: bool


def what_it_waits_for(asked: Asked, machines: Sequence[Sequence[HostGpu]]) -> Waits:
    """Return what to tell of a task that machines with these GPUs have none for now."""
    memory = asked.memory_bytes or 0
    wanted = counted(asked.gpus, "GPU") + (f" with {memory / GIB:.3g} GiB free" if memory else "")
    such = " of that size" if memory else ""
    if not any(machines):
        return Waits(f"{wanted}; no worker's machine has any", is_enough=False)
    largest = max(machines, key=lambda gpus: _able(gpus, memory))
    able = _able(largest, memory)
    if able >= asked.gpus:
        free = "" if memory else " that is free" if asked.gpus == 1 else " that are free"
        return Waits(wanted + free, is_enough=True)
    most = f"more than {able}" if able else "one"
    return Waits(f"{wanted}; no machine has {most}{such}", is_enough=False)


def _able(gpus: Iterable[HostGpu], memory: int) -> int:
    return sum(gpu.memory_bytes >= memory for gpu in gpus)
