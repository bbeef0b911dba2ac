"""What every home for documents must do with many at once."""

import asyncio

import pytest

from schemas.errors import Conflict
from schemas.schema import new_id
from storage.ports import Documents, Query
from tests.contract.things import Thing, a_thing, everything


async def test_many_are_added_and_each_is_answered_for(things: Documents[Thing]) -> None:
    await things.add(a_thing(label="taken"))
    given = [a_thing(label="a"), a_thing(label="taken"), a_thing(label="b"), a_thing(label="a")]

    answers = await things.add_many(given)

    assert [answer and answer.key for answer in answers] == [None, "group+label", None, "group+label"]
    assert {thing.label for thing in await everything(things)} == {"taken", "a", "b"}


async def test_adding_stops_at_the_first_conflict_where_that_is_asked(things: Documents[Thing]) -> None:
    await things.add(a_thing(label="taken"))
    given = [a_thing(label="a"), a_thing(label="taken"), a_thing(label="b")]

    answers = await things.add_many(given, until_conflict=True)

    assert [answer and answer.key for answer in answers] == [None, "group+label"]
    assert {thing.label for thing in await everything(things)} == {"taken", "a"}


@pytest.mark.parametrize("until_conflict", [False, True])
async def test_adding_none_is_no_error(things: Documents[Thing], *, until_conflict: bool) -> None:
    assert await things.add_many([], until_conflict=until_conflict) == []


async def test_ten_thousand_are_added_at_once(things: Documents[Thing]) -> None:
    answers = await things.add_many([a_thing(rank=number) for number in range(10_000)])

    assert answers == [None] * 10_000
    assert await things.count() == 10_000


async def test_of_many_ids_those_that_exist_come_back(things: Documents[Thing]) -> None:
    given = [a_thing() for _ in range(5)]
    await things.add_many(given)

    found = await things.get_many([given[3].id, "nothing", given[1].id, given[3].id])

    assert sorted(found, key=lambda thing: thing.id) == sorted([given[1], given[3]], key=lambda thing: thing.id)
    assert await things.get_many([]) == []


async def test_very_many_ids_can_be_asked_for(things: Documents[Thing]) -> None:
    given = [a_thing() for _ in range(2_000)]
    await things.add_many(given)

    found = await things.get_many([*(thing.id for thing in given), *(f"{number}" for number in range(100_000))])

    assert len(found) == 2_000


async def test_many_are_replaced_each_on_its_own(things: Documents[Thing]) -> None:
    a, b, c, d = (a_thing(label=label) for label in "abcd")
    await things.add_many([a, b, c])
    moved_on = b.successor(text="moved on")
    await things.replace(moved_on, was=b)

    answers = await things.replace_many(
        [
            (a.successor(text="new"), a),
            (b.successor(text="late"), b),
            (c.successor(label="a"), c),
            (d.successor(text="never added"), d),
        ]
    )

    assert [answer and answer.key for answer in answers] == [None, "generation", "group+label", "generation"]
    assert {thing.text for thing in await everything(things)} == {"new", "moved on", ""}
    assert await things.replace_many([]) == []


async def test_of_fifty_that_add_one_id_one_wins(things: Documents[Thing]) -> None:
    identity = new_id()
    rivals = [a_thing(id=identity, text=str(number)) for number in range(50)]

    answers = await asyncio.gather(*(things.add(rival) for rival in rivals), return_exceptions=True)

    (winner,) = (rival for rival, answer in zip(rivals, answers, strict=True) if answer is None)
    assert await things.get(identity) == winner
    assert {type(answer) for answer in answers} == {type(None), Conflict}


async def test_of_fifty_that_add_one_unique_key_one_wins(things: Documents[Thing]) -> None:
    rivals = [a_thing(label="same") for _ in range(50)]
    others = [a_thing(label=f"other {number}") for number in range(50)]

    answers = await asyncio.gather(*(things.add(thing) for thing in rivals + others), return_exceptions=True)

    assert sum(answer is None for answer in answers[:50]) == 1
    assert all(answer is None for answer in answers[50:])
    assert await things.count() == 51


async def test_of_fifty_that_replace_one_document_one_wins(things: Documents[Thing]) -> None:
    thing = a_thing()
    await things.add(thing)
    rivals = [thing.successor(text=str(number)) for number in range(50)]

    answers = await asyncio.gather(*(things.replace(rival, was=thing) for rival in rivals), return_exceptions=True)

    (winner,) = (rival for rival, answer in zip(rivals, answers, strict=True) if answer is None)
    assert await things.get(thing.id) == winner
    assert {answer.key for answer in answers if isinstance(answer, Conflict)} == {"generation"}


async def test_of_many_that_are_replaced_at_once_each_is_answered_for(things: Documents[Thing]) -> None:
    kept, stale, gone, other, taken = (a_thing(label=str(number)) for number in range(5))
    await things.add_many([kept, stale, other, taken])
    await things.replace(stale.successor(text="newer"), was=stale)

    answers = await things.replace_many(
        [
            (kept.successor(text="new"), kept),
            (stale.successor(text="new"), stale),
            (gone.successor(text="new"), gone),
            (taken.successor(label=other.label), taken),
            (other.successor(text="new"), other),
        ]
    )

    assert [answer and answer.key for answer in answers] == [None, "generation", "generation", "group+label", None]
    texts = {thing.id: thing.text for thing in await everything(things)}
    assert texts == {kept.id: "new", stale.id: "newer", taken.id: taken.text, other.id: "new"}


async def test_a_counter_that_fifty_raise_misses_none(things: Documents[Thing]) -> None:
    thing = a_thing(rank=0)
    await things.add(thing)

    async def raise_it() -> None:
        while True:
            now = await things.get(thing.id)
            try:
                return await things.replace(now.successor(rank=(now.rank or 0) + 1), was=now)
            except Conflict:
                continue

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(raise_it())

    assert (await things.get(thing.id)).rank == 50


async def test_a_hundred_readers_and_writers_do_not_wait_for_ever(things: Documents[Thing]) -> None:
    given = [a_thing(rank=number) for number in range(100)]

    async def round_trip(thing: Thing) -> None:
        await things.add(thing)
        assert await things.get(thing.id) == thing
        await things.replace(thing.successor(text="again"), was=thing)
        assert (await things.list(Query(equal={"rank": thing.rank}))).items[0].text == "again"

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        for thing in given:
            group.create_task(round_trip(thing))

    assert await things.count() == 100


async def test_a_write_whose_caller_gave_up_harms_nobody(things: Documents[Thing]) -> None:
    given = [a_thing(rank=number) for number in range(40)]
    writes = [asyncio.ensure_future(things.add(thing)) for thing in given]
    await asyncio.gather(*writes[:3])
    for write in writes[10:20]:
        write.cancel()

    await asyncio.gather(*writes, return_exceptions=True)

    kept = {thing.rank for thing in await everything(things)}
    assert kept >= {number for number in range(40) if not 10 <= number < 20}
