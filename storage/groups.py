"""Calls on one thread, where those that wait for it together are done together."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from schemas.errors import Unavailable

I = TypeVar("I")  # noqa: E741 - an item; it is the name of a type, not of a number
R = TypeVar("R")


class _Call(NamedTuple, Generic[I, R]):
    item: I
    answer: asyncio.Future[R]


class Groups(Generic[I, R]):
    """One thread that handles items in order of their arrival, as many at a time as have arrived by then.

    ``handle`` gets up to ``most`` items and answers for each, with a result or with the error
    of that item; what it raises is the error of them all.
    """

    def __init__(self, handle: Callable[[Sequence[I]], Sequence[R | Exception]], *, name: str, most: int = 256) -> None:
        self._handle = handle
        self._name = name
        self._most = most
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._waiting: deque[_Call[I, R]] = deque()
        self._awake = False

    async def call(self, item: I) -> R:
        """Return what became of an item; one whose caller is cancelled is handled all the same.

        Raise Unavailable after ``close``.
        """
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._waiting.append(_Call(item, answer))
            if not self._awake:
                self._wake()
        return await answer

    async def close(self) -> None:
        """Handle what was called for, then end the thread."""
        await asyncio.to_thread(self._thread.shutdown)

    def _wake(self) -> None:
        try:
            self._thread.submit(self._work)
        except RuntimeError as error:
            self._waiting.clear()
            raise Unavailable(f"The {self._name} is closed.") from error
        self._awake = True

    def _work(self) -> None:
        while calls := self._next():
            answers = self._answers([call.item for call in calls])
            for loop in {call.answer.get_loop() for call in calls}:
                loop.call_soon_threadsafe(_deliver, calls, answers, loop)

    def _next(self) -> Sequence[_Call[I, R]]:
        with self._lock:
            calls = list(islice(self._waiting, self._most))
            for _ in calls:
                self._waiting.popleft()
            self._awake = bool(calls)
            return calls

    def _answers(self, items: Sequence[I]) -> Sequence[R | Exception]:
        try:
            return self._handle(items)
        except Exception as error:  # noqa: BLE001 - it is raised where each of the items was called for
            return [error] * len(items)


def _deliver(calls: Sequence[_Call[I, R]], answers: Sequence[R | Exception], loop: asyncio.AbstractEventLoop) -> None:
    for call, answer in zip(calls, answers, strict=True):
        if call.answer.get_loop() is not loop or call.answer.done():
            continue
        if isinstance(answer, Exception):
            call.answer.set_exception(answer)
        else:
            call.answer.set_result(answer)
