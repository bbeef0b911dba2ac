"""Who gets which GPU: pure rules, from what is free, what is leased and who asked first."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from schemas.hosts import GpuLease
from workers.executors.gpus import Gpu

# YMIR's own threshold: more than that of a GPU's memory is free, or somebody else is using it.
FREE_FRACTION: Final = 0.8


class Asked(NamedTuple):
    """So many GPUs: each alone, or so much of the memory of each."""

    gpus: int
    memory_bytes: int | None = None


class Room(NamedTuple):
    """What of a GPU can still be given."""

    gpu: Gpu
    leased_bytes: int = 0
    is_exclusive: bool = False
    is_aside: bool = False
    """It is kept for one who asked earlier."""

    @property
    def foreign_bytes(self) -> int:
        """What is used beyond that which was leased."""
        used = self.gpu.total_bytes - self.gpu.free_bytes
        return 0 if self.is_exclusive else max(0, used - self.leased_bytes)

    @property
    def is_whole(self) -> bool:
        """Whether nobody has any of it, and it may be given."""
        return not (self.is_aside or self.is_exclusive or self.leased_bytes or self.is_foreign)

    @property
    def is_foreign(self) -> bool:
        """Whether somebody whom we gave nothing is using it."""
        return self.foreign_bytes >= (1 - FREE_FRACTION) * self.gpu.total_bytes

    @property
    def free_bytes(self) -> int:
        """How much of its memory may be given: what was leased counts in full, whether it is used yet or not."""
        if self.is_aside or self.is_exclusive:
            return 0
        return max(0, self.gpu.total_bytes - self.leased_bytes - self.foreign_bytes)

    def offers(self, asked: Asked) -> bool:
        """Return whether it can be one of the GPUs that are asked for, now."""
        return self.is_whole if asked.memory_bytes is None else self.free_bytes >= asked.memory_bytes

    def could_offer(self, asked: Asked) -> bool:
        """Return whether it could be, once all that is leased has ended."""
        if asked.memory_bytes is None:
            return not self.is_foreign
        return self.gpu.total_bytes - self.foreign_bytes >= asked.memory_bytes

    def given(self, asked: Asked) -> "Room":
        """Return what is left of it when it was given."""
        if asked.memory_bytes is None:
            return self._replace(is_exclusive=True)
        return self._replace(leased_bytes=self.leased_bytes + asked.memory_bytes)


def rooms_of(gpus: Iterable[Gpu], leases: Iterable[GpuLease]) -> tuple[Room, ...]:
    """Return what of some GPUs can still be given, by their numbers."""
    rooms = {gpu.uuid: Room(gpu) for gpu in sorted(gpus, key=lambda gpu: (gpu.number, gpu.uuid))}
    for lease in leases:
        if lease.gpu in rooms:
            rooms[lease.gpu] = rooms[lease.gpu].given(Asked(1, lease.memory_bytes))
    return tuple(rooms.values())


def choose(rooms: Sequence[Room], asked: Asked, *, older: Iterable[Asked] = ()) -> tuple[str, ...] | None:
    """Return the UUIDs of the GPUs to give to one after whom those ``older`` have had their turn; None: it waits."""
    *_, chosen = in_turn(rooms, (*older, asked))
    return chosen


def in_turn(rooms: Sequence[Room], line: Iterable[Asked]) -> Iterator[tuple[str, ...] | None]:
    """Yield for each in a line, the oldest first, the GPUs that it gets; None: it waits.

    For the first that waits and that all these GPUs would be enough for, what it needs is set aside, so that those
    behind it take nothing that it waits for; they may take the rest.
    """
    is_reserved = False
    for asked in line:
        chosen = _granted(rooms, asked)
        if chosen is not None:
            rooms = [room.given(asked) if room in chosen else room for room in rooms]
        elif not is_reserved and fits(rooms, asked):
            rooms = _set_aside(rooms, asked)
            is_reserved = True
        yield None if chosen is None else tuple(room.gpu.uuid for room in chosen)


def fits(rooms: Iterable[Room], asked: Asked) -> bool:
    """Return whether these GPUs would be enough if nothing were leased."""
    return sum(room.could_offer(asked) for room in rooms) >= asked.gpus


def _granted(rooms: Iterable[Room], asked: Asked) -> list[Room] | None:
    able = [room for room in rooms if room.offers(asked)]
    if asked.memory_bytes is not None:
        # The fullest first: whole GPUs are left for those who need whole ones.
        able.sort(key=lambda room: room.free_bytes)
    return able[: asked.gpus] if len(able) >= asked.gpus else None


def _set_aside(rooms: Sequence[Room], asked: Asked) -> list[Room]:
    """Return the rooms with those kept that are free already, then those that will be with the least still to end."""
    able = [room for room in rooms if room.could_offer(asked)]
    able.sort(key=lambda room: (not room.offers(asked), room.is_exclusive, -room.free_bytes))
    kept = {room.gpu.uuid for room in able[: asked.gpus]}
    return [room._replace(is_aside=True) if room.gpu.uuid in kept else room for room in rooms]
