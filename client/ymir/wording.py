"""What the service says of its API, in the words of the command."""

import re
from collections.abc import Mapping
from typing import Final

POINTER: Final = re.compile(r"^( *)(/[^\s:]+)(?=: )", re.MULTILINE)
FIELD: Final = re.compile(r"(?<![\w/'\"-])[a-z]+(?:_[a-z]+)+(?![\w'\"])")

CALLS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"Send Authorization: Bearer <key>\."), "Set YMIR_KEY to a key, or YMIR_KEY_FILE to a file with one."),
    (re.compile(r"\bGET /v1/projects(?= lists)"), "`ymir projects`"),
    (re.compile(r"\bGET /v1/projects/([^/\s]+)/(datasets|models|tasks)(?= lists)"), r"`ymir \2 --project \1`"),
    (re.compile(r"\bGET /v1/tasks/\{id\}/conflicts(?= lists)"), "`ymir conflicts TASK`"),
    (re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) (/v1/\S*[\w}])"), r"`ymir api \1 \2`"),
)
"""Calls of the API that a text names, and the commands that make them; the last makes any."""


def worded(text: str, options: Mapping[str, str]) -> str:
    """Return a text with commands in place of calls, and options in place of pointers and fields.

    ``options`` are those of the command by the pointers of what they give; what is in no table stays as it is.
    """
    for call, command in CALLS:
        text = call.sub(command, text)
    text = POINTER.sub(lambda found: found[1] + _option(found[2], options), text)
    return FIELD.sub(lambda found: options.get(f"/{found[0]}", found[0]), text)


def _option(pointer: str, options: Mapping[str, str]) -> str:
    """Return the option that gives what a pointer names, and where in it; else the pointer."""
    above, rest = pointer, ""
    while above and above not in options:
        above, _, last = above.rpartition("/")
        rest = f"/{last}{rest}"
    return options[above] + rest if above else pointer
