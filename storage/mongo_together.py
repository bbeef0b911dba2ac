"""Calls that go to the server together: those that come while the ones before are under way."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from schemas.errors import Invalid

I = TypeVar("I")  # noqa: E741 - an item; it is the name of a type, not of a number
R = TypeVar("R")

# As many documents as the server sends in its first answer to a query.
MOST: Final = 100
# Once several came at a time, those that come within so long of the last answer go together too: a round trip costs
# the server and us as much work as some five documents in it.
GATHER_SECONDS: Final = 0.005


class _Call(NamedTuple, Generic[I, R]):
    item: I
    answer: asyncio.Future[R]


class Together(Generic[I, R]):
    """Handles one item at once if it comes alone, and many with one round trip if they come at the same time.

    ``handle`` gets up to ``MOST`` items, in order of their arrival, and answers for each, with a result or with
    the error of that item. Should it raise Invalid, which one may have spoiled for the others, each is handled
    alone; what else it raises is the error of them all.
    """

    def __init__(self, handle: Callable[[Sequence[I]], Awaitable[Sequence[R | Exception]]]) -> None:
        self._handle = handle
        self._waiting: deque[_Call[I, R]] = deque()
        self._working: asyncio.Task[None] | None = None

    async def call(self, item: I, *, alone: bool = False) -> R:
        """Return what became of an item, with others or ``alone``; cancelling this leaves open what became of it."""
        if alone:
            return _answer_of(*await self._answers([item]))
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Call(item, answer))
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return await answer

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return self._working is None and not self._waiting

    async def _work(self) -> None:
        try:
            while self._waiting:
                calls = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
                for call, answer in zip(calls, await self._answers([call.item for call in calls]), strict=True):
                    _deliver(call.answer, answer)
                if len(calls) > 1:
                    await asyncio.sleep(GATHER_SECONDS)
        finally:
            self._working = None

    async def _answers(self, items: Sequence[I]) -> Sequence[R | Exception]:
        try:
            return await self._handle(items)
        except Invalid as error:
            return [error] if len(items) == 1 else [(await self._answers([item]))[0] for item in items]
        except Exception as error:  # noqa: BLE001 - it is raised where each of the items was called for
            return [error] * len(items)


class Alike(Generic[R]):
    """Asks once for all who want to know the same; who comes while that is asked waits for the next answer."""

    def __init__(self) -> None:
        self._asking: dict[Hashable, Together[Callable[[], Awaitable[R]], R]] = {}

    async def call(self, key: Hashable, ask: Callable[[], Awaitable[R]]) -> R:
        """Return what ``ask`` returns, or another that was called with the same key, and was called no earlier."""
        asking = self._asking.setdefault(key, Together(_once))
        try:
            return await asking.call(ask)
        finally:
            if asking.is_idle:
                self._asking.pop(key, None)


async def _once(asks: Sequence[Callable[[], Awaitable[R]]]) -> Sequence[R]:
    return [await asks[0]()] * len(asks)


def _answer_of(answer: R | Exception) -> R:
    if isinstance(answer, Exception):
        raise answer
    return answer


def _deliver(future: asyncio.Future[R], answer: R | Exception) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
