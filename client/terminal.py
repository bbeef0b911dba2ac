"""Text for people: on a terminal nothing in it steers that, wherever it comes from."""

from typing import Final, TextIO

# File names and messages of others can have what moves the cursor, or types for the user.
_STEERING: Final = dict.fromkeys(
    {*range(0x20), *range(0x7F, 0xA0)} - {ord("\n"), ord("\t")}, "\N{REPLACEMENT CHARACTER}"
)


def write(text: str, to: TextIO, *, at_once: bool = True) -> None:
    """Write a line, or several: on a terminal without what would steer it, elsewhere to the letter."""
    print(text.translate(_STEERING) if to.isatty() else text, file=to, flush=at_once)
