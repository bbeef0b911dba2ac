"""What every home for documents must do with many at once."""

import pytest

from storage.ports import Documents
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
