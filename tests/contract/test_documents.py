"""What every home for documents must do: keep them, one successor after another."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import Conflict, NotFound
from schemas.tasks import Task
from storage.ports import Database, Documents, Query
from tests.contract.things import Thing, a_thing, everything
from tests.factories import NOON, WORKER, a_task


async def test_what_was_added_comes_back_equal(database: Database) -> None:
    tasks = database.documents(Task)
    task = a_task().claimed(by=WORKER, at=NOON)

    await tasks.add(task)

    assert await tasks.get(task.id) == task


async def test_what_was_never_added_is_not_found(things: Documents[Thing]) -> None:
    with pytest.raises(NotFound, match="thing 'nothing'"):
        await things.get("nothing")


async def test_kinds_do_not_share_ids(database: Database, things: Documents[Thing]) -> None:
    task = a_task()
    await database.documents(Task).add(task)

    await things.add(a_thing(id=task.id))

    assert (await database.documents(Task).get(task.id)) == task


async def test_two_homes_of_one_kind_are_the_same(database: Database, things: Documents[Thing]) -> None:
    thing = a_thing()
    await things.add(thing)

    assert await database.documents(Thing).get(thing.id) == thing


async def test_an_id_is_taken_once(things: Documents[Thing]) -> None:
    thing = a_thing(text="first")
    await things.add(thing)

    with pytest.raises(Conflict) as caught:
        await things.add(a_thing(id=thing.id, text="second"))

    assert caught.value.key == "id"
    assert (await things.get(thing.id)).text == "first"


async def test_a_unique_key_is_taken_once_and_is_named(things: Documents[Thing]) -> None:
    await things.add(a_thing(label="a", serial="1"))

    with pytest.raises(Conflict) as of_two_fields:
        await things.add(a_thing(label="a"))
    with pytest.raises(Conflict) as of_one_field:
        await things.add(a_thing(label="b", serial="1"))

    assert of_two_fields.value.key == "group+label"
    assert of_one_field.value.key == "serial"
    assert await things.count() == 1


async def test_of_an_id_and_a_unique_key_the_id_is_named(things: Documents[Thing]) -> None:
    thing = a_thing(label="a", serial="1")
    await things.add(thing)

    with pytest.raises(Conflict) as caught:
        await things.add(thing)

    assert caught.value.key == "id"


async def test_a_part_of_a_unique_key_may_repeat(things: Documents[Thing]) -> None:
    await things.add(a_thing(group="one", label="a"))
    await things.add(a_thing(group="one", label="b"))
    await things.add(a_thing(group="two", label="a"))

    assert await things.count() == 3


async def test_a_unique_key_with_a_null_is_never_taken(things: Documents[Thing]) -> None:
    await things.add(a_thing(label=None, serial=None))
    await things.add(a_thing(label=None, serial=None))

    assert await things.count() == 2


async def test_of_two_successors_the_first_is_kept(things: Documents[Thing]) -> None:
    thing = a_thing()
    await things.add(thing)
    first, second = thing.successor(text="first"), thing.successor(text="second")
    await things.replace(first, was=thing)

    with pytest.raises(Conflict) as caught:
        await things.replace(second, was=thing)

    assert caught.value.key == "generation"
    assert await things.get(thing.id) == first


async def test_a_successor_may_be_followed(things: Documents[Thing]) -> None:
    thing = a_thing()
    await things.add(thing)
    once = thing.successor(text="once")
    await things.replace(once, was=thing)

    await things.replace(once.successor(text="twice"), was=once)

    assert (await things.get(thing.id)).text == "twice"


async def test_what_does_not_exist_cannot_be_replaced(things: Documents[Thing]) -> None:
    thing = a_thing()

    with pytest.raises(Conflict) as caught:
        await things.replace(thing.successor(text="new"), was=thing)

    assert caught.value.key == "generation"
    assert await things.count() == 0


async def test_what_was_removed_cannot_be_replaced(things: Documents[Thing]) -> None:
    thing = a_thing()
    await things.add(thing)
    await things.remove(thing.id)

    with pytest.raises(Conflict):
        await things.replace(thing.successor(text="new"), was=thing)


async def test_a_successor_cannot_take_the_unique_key_of_another(things: Documents[Thing]) -> None:
    one, other = a_thing(label="one"), a_thing(label="other")
    await things.add_many([one, other])

    with pytest.raises(Conflict) as caught:
        await things.replace(other.successor(label="one"), was=other)

    assert caught.value.key == "group+label"
    assert await things.get(other.id) == other


async def test_a_unique_key_that_was_left_can_be_taken(things: Documents[Thing]) -> None:
    one = a_thing(label="one")
    await things.add(one)
    await things.replace(one.successor(label="renamed"), was=one)

    await things.add(a_thing(label="one"))

    assert {thing.label for thing in await everything(things)} == {"one", "renamed"}


async def test_what_is_no_successor_is_a_bug(things: Documents[Thing]) -> None:
    thing = a_thing()
    await things.add(thing)

    with pytest.raises(ValueError, match="no successor"):
        await things.replace(thing.model_copy(update={"text": "same generation"}), was=thing)
    with pytest.raises(ValueError, match="no successor"):
        await things.replace(a_thing(generation=1), was=thing)

    assert await things.get(thing.id) == thing


async def test_what_was_removed_is_gone_and_its_keys_are_free(things: Documents[Thing]) -> None:
    thing = a_thing(label="a")
    await things.add(thing)

    await things.remove(thing.id)

    with pytest.raises(NotFound):
        await things.get(thing.id)
    await things.add(a_thing(id=thing.id, label="a"))


async def test_removing_what_does_not_exist_is_no_error(things: Documents[Thing]) -> None:
    await things.remove("nothing")

    assert await things.count() == 0


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    rank=st.one_of(st.none(), st.integers(-(2**53), 2**53)),
    weight=st.floats(allow_nan=False, allow_infinity=False),
)
async def test_every_value_comes_back(things: Documents[Thing], text: str, rank: int | None, weight: float) -> None:
    thing = a_thing(text=text, group=text.replace("\x00", ""), rank=rank, weight=weight)

    await things.add(thing)

    assert await things.get(thing.id) == thing
    assert thing in await everything(things, Query(equal={"group": thing.group, "rank": rank}), limit=100)


async def test_a_document_of_eight_megabytes_is_kept(things: Documents[Thing]) -> None:
    thing = a_thing(text="ü" * (4 << 20))

    await things.add(thing)

    assert await things.get(thing.id) == thing
