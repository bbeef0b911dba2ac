"""How a client's calls reach a service, and what they raise."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from schemas.errors import YmirError
from schemas.problems import Problem

Pieces = Callable[[], AsyncIterator[bytes]]
"""Makes a body anew for each try."""
Query = Mapping[str, str | int | Sequence[str]]
"""The parameters after the ``?`` of an address."""


class Refused(YmirError):
    """The service answered with a problem, or a task ended as failed or cancelled."""

    slug = "refused"
    title = "Refused"

    def __init__(self, problem: Problem) -> None:
        """Tell of a problem in one text: what, where, and the next step."""
        told = (f"{error.pointer}: {error.detail}".removeprefix(": ") for error in problem.errors)
        where = "".join(f"\n  {line}" for line in told)
        super().__init__(f"{problem.title}: {problem.detail}{where}", step=problem.step)
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.detail}\n{self.step}" if self.step else self.detail


class Stream(NamedTuple):
    """An answer that comes in pieces; ``size`` is that of all of them, if it is known."""

    size: int | None
    pieces: AsyncIterator[bytes]


class Calls(Protocol):
    """What answers calls. They raise Refused, and Unavailable when nobody answers."""

    async def answer(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json: object = None,
        pieces: Pieces | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Return the whole answer to a call whose body is JSON, or pieces of bytes."""

    async def told(self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b"") -> Mapping[str, str]:
        """Return the headers of the answer to a call whose body is bytes."""

    def stream(self, path: str) -> AbstractAsyncContextManager[Stream]:
        """Open the answer at a path, piece by piece."""
