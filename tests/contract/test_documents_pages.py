"""How every home for documents must sort what it finds, and hand it out in pages."""

import asyncio
import base64
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import Invalid
from storage.ports import Documents, Query
from tests.contract.things import Thing, a_thing, everything, expected


@pytest.mark.parametrize("order", ["id", "-id", "rank", "-rank", "label", "-label", "weight", "depth.metres", "hidden"])
@pytest.mark.parametrize("limit", [1, 3, 7, 100])
async def test_pages_together_are_the_sorted_whole(things: Documents[Thing], order: str, limit: int) -> None:
    choice = random.Random(1)
    given = [
        a_thing(
            label=choice.choice([None, f"{number}", "é%", f"Z{number}"]),
            group=str(number),
            rank=choice.choice([None, 1, 2, 10]),
            weight=choice.choice([0, -1.5, 1e9]),
            hidden=choice.choice([True, False]),
            depth={"metres": choice.choice([None, 1, 2])},
        )
        for number in range(20)
    ]
    await things.add_many(given)

    found = await everything(things, order=order, limit=limit)

    assert found == expected(given, order)


async def test_text_is_sorted_by_code_points(things: Documents[Thing]) -> None:
    labels = ["Z", "a", "é", "z", "\uffff", "\U0001f600", "10", "9"]
    await things.add_many([a_thing(label=label) for label in labels])

    found = await everything(things, order="label")

    assert [thing.label for thing in found] == sorted(labels)


async def test_a_query_is_sorted_and_paged_like_the_whole(things: Documents[Thing]) -> None:
    given = [
        a_thing(group=f"{number % 3}", rank=number // 2 % 4 or None, hidden=number % 2 == 0) for number in range(60)
    ]
    await things.add_many(given)
    query = Query(equal={"group": "1", "hidden": True})
    meant = [thing for thing in given if thing.group == "1" and thing.hidden]

    for order in ("rank", "-rank", "made_at", "-id", "group"):
        assert await everything(things, query, order=order, limit=4) == expected(meant, order)


async def test_the_last_page_says_so(things: Documents[Thing]) -> None:
    await things.add_many([a_thing() for _ in range(4)])

    assert (await things.list(limit=4)).next is None
    assert (await things.list(limit=3)).next is not None
    assert (await things.list(Query(equal={"group": "none"}))).items == ()


async def test_paging_while_others_write_repeats_and_skips_nothing_that_was_there(things: Documents[Thing]) -> None:
    given = [a_thing(rank=number % 5) for number in range(60)]
    await things.add_many(given)
    there = {thing.id for thing in given}
    removed = given[30]
    seen: list[str] = []
    cursor: str | None = None

    while True:
        page = await things.list(order="-rank", limit=7, cursor=cursor)
        seen += [thing.id for thing in page.items]
        await asyncio.gather(*(things.add(a_thing(rank=rank)) for rank in range(5)), things.remove(removed.id))
        if page.next is None:
            break
        cursor = page.next

    assert len(seen) == len(set(seen))
    assert there - {removed.id} <= set(seen)


async def test_a_cursor_goes_on_after_a_document_that_is_gone(things: Documents[Thing]) -> None:
    await things.add_many([a_thing(rank=number) for number in range(6)])
    page = await things.list(order="rank", limit=3)
    await things.remove(page.items[-1].id)

    rest = await things.list(order="rank", cursor=page.next)

    assert [thing.rank for thing in rest.items] == [3, 4, 5]


async def test_a_cursor_of_another_order_is_refused(things: Documents[Thing]) -> None:
    await things.add_many([a_thing(rank=number) for number in range(3)])
    page = await things.list(order="rank", limit=1)

    with pytest.raises(Invalid, match="cursor") as caught:
        await things.list(order="-rank", cursor=page.next)

    assert caught.value.step


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cursor=st.one_of(st.text(), st.text(alphabet="ABCabc123_-=", min_size=1), st.binary().map(lambda raw: raw.hex()))
)
async def test_garbage_is_no_cursor(things: Documents[Thing], cursor: str) -> None:
    with pytest.raises(Invalid):
        await things.list(cursor=cursor)


@pytest.mark.parametrize(
    "parts", ["{}", "[]", '["id"]', '["id",{},"a"]', '["id",null,7]', '["id",null,"a",1]', "nul", "7"]
)
async def test_what_only_looks_like_a_cursor_is_none(things: Documents[Thing], parts: str) -> None:
    cursor = base64.urlsafe_b64encode(parts.encode()).decode().rstrip("=")

    with pytest.raises(Invalid):
        await things.list(cursor=cursor)
