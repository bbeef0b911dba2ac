"""What the fixture ``before`` gives: something that happens between two steps of what is tested."""

from collections.abc import Awaitable, Callable
from typing import Protocol


class Before(Protocol):
    """Have something happen before each of the next calls of a method, one after the other."""

    def __call__(self, target: object, method: str, /, *happenings: Callable[[], Awaitable[None]]) -> None:
        """Take the method of an object, by its name, and what is to happen."""
