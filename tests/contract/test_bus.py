"""What every bus must do with doorbells; that it may lose, repeat and reorder is for those who listen to bear."""

import asyncio

import pytest

from schemas.errors import Invalid
from schemas.letters import ForeignMessage
from schemas.parameters import Slot
from schemas.tasks import Doorbell
from storage.ports import Bus
from tests.contract.reading_bus import QUIET_SECONDS, SECONDS, a_doorbell, answer, is_quiet, take


async def test_a_doorbell_comes_to_one_who_listens(bus: Bus) -> None:
    doorbell = a_doorbell()
    async with bus.doorbells(Slot.DATA) as deliveries:
        await bus.ring(doorbell)

        assert await answer(deliveries, 1) == {doorbell}


async def test_a_doorbell_waits_for_one_who_listens(bus: Bus) -> None:
    doorbells = {a_doorbell() for _ in range(10)}
    for doorbell in doorbells:
        await bus.ring(doorbell)

    async with bus.doorbells(Slot.DATA) as deliveries:
        assert await answer(deliveries, 10) == doorbells


async def test_those_that_wait_are_counted(bus: Bus) -> None:
    for _ in range(3):
        await bus.ring(a_doorbell())

    async with asyncio.timeout(SECONDS):
        while await bus.waiting(Slot.DATA) != 3:  # noqa: ASYNC110 - a broker counts a little late, and tells nobody
            await asyncio.sleep(0.01)
    assert await bus.waiting(Slot.GPU) == 0


async def test_each_kind_of_slot_has_its_own_doorbells(bus: Bus) -> None:
    doorbells = {slot: a_doorbell(slot) for slot in Slot}
    for doorbell in doorbells.values():
        await bus.ring(doorbell)

    for slot, doorbell in doorbells.items():
        async with bus.doorbells(slot) as deliveries:
            assert await answer(deliveries, 1) == {doorbell}
            assert await is_quiet(deliveries)


async def test_two_who_listen_share_the_doorbells(bus: Bus) -> None:
    doorbells = {a_doorbell() for _ in range(20)}
    async with bus.doorbells(Slot.DATA) as here, bus.doorbells(Slot.DATA) as there:
        for doorbell in doorbells:
            await bus.ring(doorbell)

        first, second = await answer(here, 10), await answer(there, 10)

    assert first | second == doorbells
    assert not first & second


async def test_what_was_acknowledged_does_not_come_again(bus: Bus) -> None:
    await bus.ring(a_doorbell())
    async with bus.doorbells(Slot.DATA) as deliveries:
        await answer(deliveries, 1)

    async with bus.doorbells(Slot.DATA) as deliveries:
        assert await is_quiet(deliveries)


async def test_what_a_lost_listener_did_not_acknowledge_comes_again(bus: Bus) -> None:
    doorbells = {a_doorbell() for _ in range(6)}
    for doorbell in doorbells:
        await bus.ring(doorbell)
    async with bus.doorbells(Slot.DATA) as deliveries:
        answered = await answer(deliveries, 2)
        await take(deliveries, 3)

    async with bus.doorbells(Slot.DATA) as deliveries:
        assert await answer(deliveries, 4) == doorbells - answered
        assert await is_quiet(deliveries)


async def test_what_a_lost_listener_did_not_acknowledge_comes_to_another_who_waits(bus: Bus) -> None:
    doorbell = a_doorbell()
    async with bus.doorbells(Slot.DATA) as patient:
        async with bus.doorbells(Slot.DATA) as lost:
            await bus.ring(doorbell)
            (delivery,) = await take(lost, 1)
            assert delivery.doorbell == doorbell
            waits = asyncio.ensure_future(answer(patient, 1))

        assert await waits == {doorbell}


async def test_a_listener_that_fails_hands_back_what_it_took(bus: Bus) -> None:
    doorbell = a_doorbell()
    await bus.ring(doorbell)

    with pytest.raises(RuntimeError, match="worker failed"):
        await fail_after_taking(bus)

    async with bus.doorbells(Slot.DATA) as deliveries:
        assert await answer(deliveries, 1) == {doorbell}


async def test_a_wait_that_was_given_up_loses_nothing(bus: Bus) -> None:
    doorbells = {a_doorbell() for _ in range(3)}
    async with bus.doorbells(Slot.DATA) as deliveries:
        assert await is_quiet(deliveries)
        assert await is_quiet(deliveries)
        for doorbell in doorbells:
            await bus.ring(doorbell)

        assert await answer(deliveries, 3) == doorbells


async def test_a_doorbell_can_be_rung_again_while_its_delivery_is_open(bus: Bus) -> None:
    doorbell = a_doorbell()
    async with bus.doorbells(Slot.DATA) as deliveries:
        await bus.ring(doorbell)
        (first,) = await take(deliveries, 1)
        await bus.ring(doorbell)
        await first.acknowledge()

        assert await answer(deliveries, 1) == {doorbell}


async def test_acknowledging_twice_or_late_is_no_error(bus: Bus) -> None:
    await bus.ring(a_doorbell())
    async with bus.doorbells(Slot.DATA) as deliveries:
        (delivery,) = await take(deliveries, 1)
        await delivery.acknowledge()
        await delivery.acknowledge()

    await delivery.acknowledge()


async def test_ten_listeners_answer_a_thousand_doorbells(bus: Bus) -> None:
    doorbells = {a_doorbell() for _ in range(1_000)}
    answered: set[Doorbell] = set()
    done = asyncio.Event()

    async def listen() -> None:
        async with bus.doorbells(Slot.DATA) as deliveries:
            async for delivery in deliveries:
                answered.add(delivery.doorbell)
                await delivery.acknowledge()
                if answered == doorbells:
                    done.set()

    async with asyncio.timeout(SECONDS):
        listeners = [asyncio.ensure_future(listen()) for _ in range(10)]
        await asyncio.gather(*(bus.ring(doorbell) for doorbell in doorbells))
        await done.wait()
    for listener in listeners:
        listener.cancel()
    await asyncio.gather(*listeners, return_exceptions=True)

    assert answered == doorbells


async def test_while_nothing_foreign_comes_there_are_no_dead_letters(bus: Bus) -> None:
    async with bus.dead_letters() as letters, bus.doorbells(Slot.DATA) as deliveries:
        await bus.ring(a_doorbell())
        await answer(deliveries, 1)

        assert await is_quiet(letters)


async def test_whoever_waits_for_dead_letters_when_that_ends_learns_that_none_comes(bus: Bus) -> None:
    async with bus.dead_letters() as letters:
        waits = asyncio.ensure_future(anext(letters, None))
        assert not (await asyncio.wait([waits], timeout=QUIET_SECONDS))[0]

    async with asyncio.timeout(SECONDS):
        assert await waits is None


async def test_what_is_sent_again_to_where_nothing_is_says_so_and_harms_nothing(bus: Bus) -> None:
    doorbell = a_doorbell()
    with pytest.raises(Invalid, match="gone"):
        await bus.send_again(ForeignMessage("gone", "task.sample.data", b"?"))

    async with bus.doorbells(Slot.DATA) as deliveries:
        await bus.ring(doorbell)
        assert await answer(deliveries, 1) == {doorbell}


async def fail_after_taking(bus: Bus) -> None:
    async with bus.doorbells(Slot.DATA) as deliveries:
        await take(deliveries, 1)
        raise RuntimeError("worker failed")
