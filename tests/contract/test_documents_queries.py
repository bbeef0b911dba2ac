"""What every home for documents must find."""

import pytest

from schemas.errors import Invalid, NotFound
from schemas.tasks import Task
from storage.ports import Database, Documents, Query
from tests.contract.things import Thing, a_thing, everything
from tests.factories import NOON, a_task


async def test_equality_means_the_very_value(things: Documents[Thing]) -> None:
    given = [a_thing(label="a", rank=1), a_thing(label="A", rank=1), a_thing(label="a ", rank=2), a_thing(label=None)]
    await things.add_many(given)

    assert await everything(things, Query(equal={"label": "a"})) == [given[0]]
    assert await things.count(Query(equal={"rank": 1})) == 2
    assert await things.count(Query(equal={"rank": 1, "label": "A"})) == 1
    assert await things.count(Query(equal={"id": given[2].id})) == 1


async def test_booleans_can_be_asked_for(things: Documents[Thing]) -> None:
    shown, hidden = a_thing(hidden=False), a_thing(hidden=True)
    await things.add_many([shown, hidden])

    assert await everything(things, Query(equal={"hidden": True})) == [hidden]
    assert await everything(things, Query(equal={"hidden": False})) == [shown]
    assert await things.count(Query(equal={"hidden": [True, False]})) == 2
    assert await things.count(Query(equal={"hidden": [True]})) == 1


async def test_computed_fields_can_be_asked_for(database: Database) -> None:
    tasks = database.documents(Task)
    told, untold = a_task().model_copy(update={"facts": ()}), a_task()
    await tasks.add_many([told, untold])

    page = await tasks.list(Query(equal={"unannounced": True, "slot": "data", "parameters.type": "sample"}))

    assert page.items == (untold,)


async def test_numbers_can_be_asked_for(things: Documents[Thing]) -> None:
    given = [a_thing(weight=0.5), a_thing(weight=1.0), a_thing(weight=2.25)]
    await things.add_many(given)

    assert await everything(things, Query(equal={"weight": 2.25})) == [given[2]]
    assert await everything(things, Query(equal={"weight": 1})) == [given[1]]
    assert await things.count(Query(at_least={"weight": 0.75})) == 2


async def test_null_means_null(things: Documents[Thing]) -> None:
    with_rank, without = a_thing(rank=0), a_thing(rank=None)
    await things.add_many([with_rank, without])

    assert await everything(things, Query(equal={"rank": None})) == [without]
    assert await everything(things, Query(equal={"depth.metres": None, "rank": 0})) == [with_rank]


async def test_several_values_mean_any_of_them(things: Documents[Thing]) -> None:
    await things.add_many([a_thing(label=label) for label in "abcd"])
    await things.add(a_thing(label=None))

    found = await everything(things, Query(equal={"label": ["a", "c", "nothing"]}))

    assert {thing.label for thing in found} == {"a", "c"}
    assert await things.count(Query(equal={"label": ["a", None]})) == 2
    assert await things.count(Query(equal={"label": [None]})) == 1
    assert await things.count(Query(equal={"label": []})) == 0


async def test_very_many_values_can_be_asked_for(things: Documents[Thing]) -> None:
    await things.add_many([a_thing(rank=number) for number in range(10)])

    assert await things.count(Query(equal={"rank": range(5, 100_000)})) == 5


async def test_a_range_has_its_lower_end_but_not_its_upper(things: Documents[Thing]) -> None:
    await things.add_many([a_thing(rank=number) for number in range(10)])
    await things.add(a_thing(rank=None))

    found = await everything(things, Query(at_least={"rank": 3}, below={"rank": 6}), order="rank")

    assert [thing.rank for thing in found] == [3, 4, 5]
    assert await things.count(Query(below={"rank": 2})) == 2
    assert await things.count(Query(at_least={"rank": 8})) == 2


async def test_instants_have_ranges(things: Documents[Thing]) -> None:
    days = [NOON.replace(day=day) for day in (1, 2, 3)]
    await things.add_many([a_thing(made_at=day) for day in days])

    found = await everything(things, Query(at_least={"made_at": "2026-11-02T12:00:00.000Z"}), order="made_at")

    assert [thing.made_at for thing in found] == days[1:]


async def test_a_prefix_has_no_wildcards(things: Documents[Thing]) -> None:
    labels = ["50%", "50% off", "500", "50_", "50x", "5", "a.b", "axb", "[a]", "\\d", "A.B", "", None]
    await things.add_many([a_thing(label=label, serial=str(number)) for number, label in enumerate(labels)])

    async def with_prefix(prefix: str) -> set[str | None]:
        return {thing.label for thing in await everything(things, Query(prefix={"label": prefix}))}

    assert await with_prefix("50%") == {"50%", "50% off"}
    assert await with_prefix("50_") == {"50_"}
    assert await with_prefix("a.") == {"a.b"}
    assert await with_prefix("[a") == {"[a]"}
    assert await with_prefix("\\") == {"\\d"}
    assert await with_prefix("") == set(labels) - {None}


async def test_a_prefix_of_the_last_characters_there_are_finds_them(things: Documents[Thing]) -> None:
    labels = ["\U0010ffff", "\U0010ffff\U0010ffffa", "\ud7ff", "\ud7ffa", "\ue000", "z\U0010ffff", "za", "zb"]
    await things.add_many([a_thing(label=label) for label in labels])

    async def with_prefix(prefix: str) -> set[str | None]:
        return {thing.label for thing in await everything(things, Query(prefix={"label": prefix}))}

    assert await with_prefix("\U0010ffff") == {"\U0010ffff", "\U0010ffff\U0010ffffa"}
    assert await with_prefix("\ud7ff") == {"\ud7ff", "\ud7ffa"}
    assert await with_prefix("z\U0010ffff") == {"z\U0010ffff"}
    assert await with_prefix("za") == {"za"}


@pytest.mark.parametrize(
    "query",
    [
        Query(equal={"text": "a"}),
        Query(at_least={"serial": "a"}),
        Query(below={"depth": 1}),
        Query(prefix={"a') OR 1 --": "a"}),
    ],
)
async def test_a_field_that_is_not_indexed_is_refused(things: Documents[Thing], query: Query) -> None:
    with pytest.raises(Invalid, match="thing cannot be asked for"):
        await things.list(query)
    with pytest.raises(Invalid):
        await things.count(query)


@pytest.mark.parametrize("order", ["text", "-text", "", "-", "--id", "rank DESC"])
async def test_an_order_that_is_not_indexed_is_refused(things: Documents[Thing], order: str) -> None:
    with pytest.raises(Invalid):
        await things.list(order=order)


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_page_of_none_is_refused(things: Documents[Thing], limit: int) -> None:
    with pytest.raises(Invalid):
        await things.list(limit=limit)


@pytest.mark.parametrize("identity", ["\ud800", "\x00", "'; DROP TABLE thing; --", "x" * 100_000, "é"])
async def test_strange_ids_are_not_there(things: Documents[Thing], identity: str) -> None:
    await things.add(a_thing())

    with pytest.raises((NotFound, Invalid)):
        await things.get(identity)

    assert await things.count() == 1


async def test_numbers_beyond_all_bounds_are_refused_or_not_there(things: Documents[Thing]) -> None:
    with pytest.raises(Invalid):
        await things.count(Query(equal={"rank": 2**70}))
