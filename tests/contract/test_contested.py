"""Writes that others are at as well, on every home for documents."""

import pytest

from schemas.errors import Conflict
from storage.contested import ATTEMPTS, added, changed
from storage.ports import Documents
from tests.contract.things import Thing, a_thing
from tests.happenings import Before


async def test_what_is_added_twice_is_there_as_it_was_first(things: Documents[Thing]) -> None:
    first = a_thing(text="first")

    assert await added(first, things) == first
    assert await added(a_thing(id=first.id, text="second"), things) == first
    assert await things.get(first.id) == first


async def test_another_with_what_must_be_unique_is_refused(things: Documents[Thing]) -> None:
    await added(a_thing(label="a"), things)

    with pytest.raises(Conflict) as caught:
        await added(a_thing(label="a"), things)

    assert caught.value.key == "group+label"


async def test_what_is_removed_between_two_looks_is_added(things: Documents[Thing], before: Before) -> None:
    first = a_thing(text="first")
    await things.add(first)
    before(things, "get_many", lambda: things.remove(first.id))
    second = a_thing(id=first.id, text="second")

    assert await added(second, things) == second
    assert await things.get(first.id) == second


async def test_a_change_keeps_one_that_was_made_meanwhile(things: Documents[Thing], before: Before) -> None:
    thing = a_thing(rank=1)
    await things.add(thing)
    other = thing.successor(text="of another")
    before(things, "replace", lambda: things.replace(other, was=thing))

    kept = await changed(things, lambda: things.get(thing.id), lambda was: was.successor(rank=2))

    assert kept.was == other
    assert (kept.now.rank, kept.now.text) == (2, "of another")
    assert await things.get(thing.id) == kept.now


async def test_nothing_to_change_is_not_written(things: Documents[Thing]) -> None:
    thing = a_thing()
    await things.add(thing)

    kept = await changed(things, lambda: things.get(thing.id), lambda was: was)

    assert kept.was == kept.now == await things.get(thing.id) == thing


async def test_a_change_to_what_is_taken_is_refused(things: Documents[Thing]) -> None:
    thing = a_thing(serial="2")
    await things.add_many([a_thing(serial="1"), thing])

    with pytest.raises(Conflict) as caught:
        await changed(things, lambda: things.get(thing.id), lambda was: was.successor(serial="1"))

    assert caught.value.key == "serial"
    assert await things.get(thing.id) == thing


async def test_a_change_ends_where_others_do_not_stop(things: Documents[Thing], before: Before) -> None:
    thing = a_thing(rank=0)
    await things.add(thing)

    async def another() -> None:
        was = await things.get(thing.id)
        await things.replace(was.successor(rank=(was.rank or 0) + 1), was=was)

    before(things, "replace", *[another] * ATTEMPTS)

    with pytest.raises(Conflict) as caught:
        await changed(things, lambda: things.get(thing.id), lambda was: was.successor(text="mine"))

    assert caught.value.key == "generation"
    assert (await things.get(thing.id)).rank == ATTEMPTS
