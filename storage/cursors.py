"""Cursors: where a sorted list goes on, as opaque text."""

import base64
from typing import NamedTuple

import orjson

from schemas.errors import Invalid

_SCALARS = (str, int, float, type(None))


class Cursor(NamedTuple):
    """The last document of a page: its value of the field that the list is sorted by, and its id."""

    order: str
    value: str | float | None
    id: str

    def text(self) -> str:
        """Return the cursor as it is handed out."""
        return base64.urlsafe_b64encode(orjson.dumps(tuple(self))).decode().rstrip("=")


def read_cursor(text: str, *, order: str) -> Cursor:
    """Return the cursor that was handed out as ``text``; raise Invalid if it is none of this order."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        parts = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except ValueError as error:
        raise _refusal() from error
    if not (isinstance(parts, list) and len(parts) == len(Cursor._fields)):
        raise _refusal()
    given, value, identity = parts
    if given != order or not isinstance(value, _SCALARS) or not isinstance(identity, str):
        raise _refusal()
    return Cursor(order, value, identity)


def _refusal() -> Invalid:
    return Invalid(
        "The cursor is not one of this list and order.",
        step="start without a cursor and pass each page's `next` as it is, with the same order",
    )
