"""Calls on one thread, in groups."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from schemas.errors import Unavailable
from storage.groups import Groups


async def test_what_waits_is_handled_together_and_in_order() -> None:
    may_go, handled = threading.Event(), list[list[int]]()

    def handle(items: Sequence[int]) -> list[int]:
        may_go.wait(10)
        handled.append(list(items))
        return [item * 2 for item in items]

    groups = Groups(handle, name="doubler", most=6)
    calls = [asyncio.ensure_future(groups.call(number)) for number in range(10)]
    await asyncio.sleep(0)
    may_go.set()

    assert await asyncio.gather(*calls) == [number * 2 for number in range(10)]
    assert [number for group in handled for number in group] == list(range(10))
    assert max(len(group) for group in handled) == 6
    await groups.close()


async def test_an_error_for_one_item_is_that_items() -> None:
    def handle(items: Sequence[int]) -> list[int | Exception]:
        return [ValueError(str(item)) if item % 2 else item for item in items]

    groups: Groups[int, int] = Groups(handle, name="picky")

    answers = await asyncio.gather(*(groups.call(number) for number in range(6)), return_exceptions=True)

    assert answers[::2] == [0, 2, 4]
    assert [str(answer) for answer in answers[1::2]] == ["1", "3", "5"]
    await groups.close()


async def test_an_error_of_the_handler_is_everyones_and_the_next_call_is_handled() -> None:
    broken = [True]

    def handle(items: Sequence[int]) -> list[int]:
        if broken:
            raise ZeroDivisionError
        return list(items)

    groups: Groups[int, int] = Groups(handle, name="broken")
    answers = await asyncio.gather(*(groups.call(number) for number in range(5)), return_exceptions=True)
    broken.clear()

    assert {type(answer) for answer in answers} == {ZeroDivisionError}
    assert await groups.call(7) == 7
    await groups.close()


async def test_a_caller_that_gives_up_leaves_its_item() -> None:
    may_go, handled = threading.Event(), list[int]()

    def handle(items: Sequence[int]) -> list[int]:
        may_go.wait(10)
        handled.extend(items)
        return list(items)

    groups: Groups[int, int] = Groups(handle, name="slow")
    calls = [asyncio.ensure_future(groups.call(number)) for number in range(3)]
    await asyncio.sleep(0)
    calls[1].cancel()
    may_go.set()
    await asyncio.gather(*calls, return_exceptions=True)
    await groups.close()

    assert handled == [0, 1, 2]
    assert calls[1].cancelled()


async def test_after_closing_it_is_unavailable() -> None:
    groups: Groups[int, int] = Groups(list, name="shop")
    await groups.call(1)
    await groups.close()

    with pytest.raises(Unavailable, match="shop is closed"):
        await groups.call(2)
