"""Calls that go to the server together."""

import asyncio
from collections.abc import Sequence

import pytest

from schemas.errors import Invalid, Unavailable
from storage.mongo_together import MOST, Alike, Together

SECONDS = 5.0


class Server:
    """Doubles numbers as soon as it is let to; 13 spoils whatever it is sent with."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.is_asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def double(self, numbers: Sequence[int]) -> Sequence[int | Exception]:
        self.asked.append(list(numbers))
        self.is_asked.set()
        await self.may_answer.wait()
        if 13 in numbers:
            raise Invalid("13 cannot be doubled")
        return [Invalid("negative") if number < 0 else 2 * number for number in numbers]


async def test_what_is_called_for_meanwhile_goes_together() -> None:
    server = Server()
    together = Together(server.double)
    first = asyncio.ensure_future(together.call(1))
    await asyncio.wait_for(server.is_asked.wait(), SECONDS)

    rest = [asyncio.ensure_future(together.call(number)) for number in (2, 3, 4)]
    await asyncio.sleep(0)
    server.may_answer.set()
    answers = await asyncio.wait_for(asyncio.gather(first, *rest), SECONDS)

    assert answers == [2, 4, 6, 8]
    assert server.asked == [[1], [2, 3, 4]]


async def test_each_gets_its_own_error() -> None:
    server = Server()
    server.may_answer.set()
    together = Together(server.double)

    answers = await asyncio.gather(*(together.call(number) for number in (1, -1, 2)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [int, Invalid, int]


async def test_one_that_spoils_the_others_is_handled_alone() -> None:
    server = Server()
    server.may_answer.set()
    together = Together(server.double)

    answers = await asyncio.gather(*(together.call(number) for number in (1, 13, 2)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [int, Invalid, int]


async def test_no_more_go_together_than_the_server_answers_at_once() -> None:
    server = Server()
    server.may_answer.set()
    together = Together(server.double)

    await asyncio.gather(*(together.call(number) for number in range(20, 20 + MOST + 1)))

    assert [len(numbers) for numbers in server.asked] == [MOST, 1]


async def test_one_that_is_cancelled_takes_nobody_with_it() -> None:
    server = Server()
    together = Together(server.double)
    calls = [asyncio.ensure_future(together.call(number)) for number in (1, 2, 3)]
    await asyncio.wait_for(server.is_asked.wait(), SECONDS)

    calls[0].cancel()
    server.may_answer.set()

    assert await asyncio.wait_for(asyncio.gather(*calls[1:]), SECONDS) == [4, 6]


async def test_an_outage_is_told_to_all_and_over_with_the_next_call() -> None:
    is_away = True

    async def answer(numbers: Sequence[int]) -> Sequence[int]:
        if is_away:
            raise Unavailable("nobody there")
        return numbers

    together = Together(answer)
    told = await asyncio.gather(*(together.call(number) for number in (1, 2)), return_exceptions=True)
    is_away = False

    assert [type(one) for one in told] == [Unavailable, Unavailable]
    assert await together.call(3) == 3


async def test_who_asks_while_the_same_is_asked_gets_an_answer_that_was_asked_for_later() -> None:
    alike: Alike[int] = Alike()
    asked = 0
    is_asked, may_answer = asyncio.Event(), asyncio.Event()

    async def count() -> int:
        nonlocal asked
        asked += 1
        mine = asked
        is_asked.set()
        await may_answer.wait()
        return mine

    first = asyncio.ensure_future(alike.call("a", count))
    await asyncio.wait_for(is_asked.wait(), SECONDS)
    later = [asyncio.ensure_future(alike.call("a", count)) for _ in range(5)]
    await asyncio.sleep(0)
    may_answer.set()

    assert await asyncio.wait_for(asyncio.gather(first, *later), SECONDS) == [1, 2, 2, 2, 2, 2]


async def test_who_asks_for_something_else_does_not_wait() -> None:
    alike: Alike[str] = Alike()
    never = asyncio.Event()

    async def wait() -> str:
        await never.wait()
        return "late"

    async def answer() -> str:
        return "at once"

    waiting = asyncio.ensure_future(alike.call("slow", wait))

    assert await asyncio.wait_for(alike.call("quick", answer), SECONDS) == "at once"

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    never.set()
