"""What is shown while a command waits: bars on a terminal, elsewhere a plain line now and then."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from client.ymir.ending import say
from client.ymir.telling import size

LINE_SECONDS: Final = 5.0


class Display(Protocol):
    """Shows how far something is."""

    def show(self, what: str, fraction: float | None, told: str = "") -> None:
        """Show that ``what`` is so far done, with a short text."""


class Lines:
    """A line every few seconds, for logs and pipes."""

    def __init__(self) -> None:
        self._told_at = time.monotonic()

    def show(self, what: str, fraction: float | None, told: str = "") -> None:
        """Say how far ``what`` is, if nothing was said lately."""
        if time.monotonic() - self._told_at >= LINE_SECONDS:
            self._told_at = time.monotonic()
            share = "" if fraction is None else f" {fraction:.0%}"
            say(f"{what}{share} {told}".rstrip())


@contextmanager
def displayed() -> Iterator[Display]:
    """Show on standard error, until the end, what is done."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from client.ymir.bars import bars

    with bars() as display:
        yield display


def bytes_shown(display: Display, what: str, done: int, of: int | None) -> None:
    """Show how many bytes went."""
    told = size(done) if of is None else f"{size(done)} of {size(of)}"
    display.show(what, done / of if of else None, told)
