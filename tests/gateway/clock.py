"""A clock that stands still until it is told."""

from datetime import datetime, timedelta

from tests.factories import NOON


class HandClock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
