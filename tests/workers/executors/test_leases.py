"""Who gets which GPU: what holds for every machine, every line of tasks and every order of ends."""

from collections import Counter
from random import Random
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from schemas.hosts import GpuLease
from tests.factories import NOON
from workers.executors.gpus import Gpu
from workers.executors.leases import Asked, choose, fits, in_turn, rooms_of
from workers.executors.waiting_words import Waits, what_it_waits_for

GIB = 2**30
TASK = "0" * 32


def a_gpu(number: int, *, total: int = 24, used: int = 0) -> Gpu:
    return Gpu(f"GPU-{number}", number, "Fake", total * GIB, (total - used) * GIB)


def a_lease(gpu: int, memory: int | None = None) -> GpuLease:
    return GpuLease(
        task=TASK, epoch=1, gpu=f"GPU-{gpu}", memory_bytes=None if memory is None else memory * GIB, since=NOON
    )


def shared(gpus: int, memory: int) -> Asked:
    return Asked(gpus, memory * GIB)


class Held(NamedTuple):
    """What one of a line has got."""

    place: int
    gpus: tuple[str, ...]


MACHINES = st.lists(st.integers(4, 40), min_size=1, max_size=6).map(
    lambda totals: [a_gpu(number, total=total) for number, total in enumerate(totals)]
)
ASKED = st.builds(Asked, st.integers(1, 6), st.none() | st.integers(1, 40).map(lambda gib: gib * GIB))


def leases_of(held: list[Held], line: list[Asked]) -> list[GpuLease]:
    return [
        GpuLease(task=f"{place:032x}", epoch=1, gpu=gpu, memory_bytes=line[place].memory_bytes, since=NOON)
        for place, gpus in held
        for gpu in gpus
    ]


@given(MACHINES, st.lists(ASKED, max_size=12), st.randoms(use_true_random=False))
def test_whatever_comes_and_ends_no_gpu_is_given_twice_and_everyone_who_fits_gets_theirs(
    machine: list[Gpu], line: list[Asked], random: Random
) -> None:
    totals = {gpu.uuid: gpu.total_bytes for gpu in machine}
    waiting, held = [place for place, asked in enumerate(line) if fits(rooms_of(machine, ()), asked)], list[Held]()
    served = []

    while waiting or held:
        # A task asks at any time, not when it is its turn: what it gets depends on those that are older.
        place = random.choice(waiting) if waiting else None
        if place is not None:
            older = [line[other] for other in waiting if other < place]
            chosen = choose(rooms_of(machine, leases_of(held, line)), line[place], older=older)
            if chosen is not None:
                assert len(set(chosen)) == line[place].gpus
                held.append(Held(place, chosen))
                waiting.remove(place)
                served.append(place)
            elif place == min(waiting) and held:
                held.pop(random.randrange(len(held)))
        elif held:
            held.pop()
        shares = [(gpu, line[place].memory_bytes) for place, gpus in held for gpu in gpus]
        alone = Counter(gpu for gpu, memory in shares if memory is None)
        assert all(times == 1 for times in alone.values())
        assert not alone.keys() & {gpu for gpu, memory in shares if memory is not None}
        for uuid, total in totals.items():
            assert sum(memory or 0 for gpu, memory in shares if gpu == uuid) <= total

    assert sorted(served) == [place for place, asked in enumerate(line) if fits(rooms_of(machine, ()), asked)]


@given(MACHINES, ASKED, st.lists(ASKED, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_those_who_keep_coming_never_starve_the_oldest(
    machine: list[Gpu], oldest: Asked, younger: list[Asked], random: Random
) -> None:
    if not fits(rooms_of(machine, ()), oldest):
        return
    line, held = [oldest, *younger], list[Held]()
    for place in range(1, len(line) // 2):  # these were there before it
        if (chosen := choose(rooms_of(machine, leases_of(held, line)), line[place])) is not None:
            held.append(Held(place, chosen))
    ends = len(held)

    # For each that ends as many come as there are, and each asks before the oldest does.
    for _ in range(ends):
        for place in range(len(line) // 2, len(line)):
            rooms = rooms_of(machine, leases_of(held, line))
            if (chosen := choose(rooms, line[place], older=[oldest])) is not None:
                held.append(Held(place, chosen))
        if choose(rooms_of(machine, leases_of(held, line)), oldest) is not None:
            break
        before = [one for one in held if one.place < len(line) // 2]
        held.remove(random.choice(before))

    # When all that was there before it has ended, nothing that came after is in its way.
    held = [one for one in held if one.place >= len(line) // 2]
    assert choose(rooms_of(machine, leases_of(held, line)), oldest) is not None


def test_a_gpu_that_others_use_is_not_given_alone_and_only_what_is_free_of_it_is_shared() -> None:
    rooms = rooms_of([a_gpu(0, used=5), a_gpu(1, used=4)], ())

    assert choose(rooms, Asked(1)) == ("GPU-1",)
    assert choose(rooms, Asked(2)) is None
    assert choose(rooms, shared(2, 19)) == ("GPU-0", "GPU-1")
    assert choose(rooms, shared(2, 20)) is None


def test_memory_that_was_asked_for_counts_whether_it_is_used_yet_or_not() -> None:
    unused = rooms_of([a_gpu(0)], [a_lease(0, 10)])
    used = rooms_of([a_gpu(0, used=10)], [a_lease(0, 10)])
    too_much = rooms_of([a_gpu(0, used=14)], [a_lease(0, 10)])

    assert [rooms[0].free_bytes // GIB for rooms in (unused, used, too_much)] == [14, 14, 10]


def test_what_shares_goes_where_others_share_and_leaves_whole_gpus() -> None:
    rooms = rooms_of([a_gpu(0), a_gpu(1)], [a_lease(1, 8)])

    assert choose(rooms, shared(1, 8)) == ("GPU-1",)
    assert choose(rooms, Asked(1)) == ("GPU-0",)


def test_the_oldest_that_waits_has_kept_for_it_what_is_free_and_others_take_the_rest() -> None:
    rooms = rooms_of([a_gpu(number) for number in range(4)], [a_lease(0), a_lease(1)])

    assert list(in_turn(rooms, [Asked(3), Asked(1), Asked(1)])) == [None, None, None]
    assert list(in_turn(rooms, [Asked(5), Asked(1)])) == [None, ("GPU-2",)], "it never fits, and keeps nothing"
    assert list(in_turn(rooms, [Asked(2), Asked(1)])) == [("GPU-2", "GPU-3"), None]


def test_only_the_oldest_that_waits_has_something_kept() -> None:
    rooms = rooms_of([a_gpu(0, total=80), a_gpu(1), a_gpu(2)], [a_lease(0)])

    turns = list(in_turn(rooms, [shared(1, 60), Asked(3), Asked(1)]))

    assert turns == [None, None, ("GPU-1",)]


def test_nothing_is_kept_for_what_others_than_us_stand_in_the_way_of() -> None:
    rooms = rooms_of([a_gpu(0, used=20), a_gpu(1)], ())

    assert list(in_turn(rooms, [Asked(2), Asked(1)])) == [None, ("GPU-1",)]


def test_what_a_task_waits_for_is_told_in_words() -> None:
    machines = [[a_gpu(number).described() for number in range(2)], []]

    told = [what_it_waits_for(asked, machines) for asked in (Asked(2), Asked(4), shared(1, 20), shared(1, 40))]

    assert told == [
        Waits("2 GPUs that are free", is_enough=True),
        Waits("4 GPUs; no machine has more than 2", is_enough=False),
        Waits("1 GPU with 20 GiB free", is_enough=True),
        Waits("1 GPU with 40 GiB free; no machine has one of that size", is_enough=False),
    ]
    assert what_it_waits_for(Asked(1), machines[1:]) == Waits("1 GPU; no worker's machine has any", is_enough=False)
