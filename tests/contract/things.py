"""A kind of documents that has everything a home for documents must know of."""

from typing import ClassVar

from schemas.schema import Document, Instant, new_id
from storage.ports import EVERYTHING, Documents, Query
from tests.factories import NOON


class Depth(Document):
    """A part of a thing, so that an index reaches into it."""

    KIND: ClassVar[str] = "depth"

    id: str = ""
    metres: int | None = None


class Thing(Document):
    """A document with a field of each type that can be asked for."""

    KIND: ClassVar[str] = "thing"
    INDEXED: ClassVar[tuple[str, ...]] = ("group", "label", "rank", "weight", "hidden", "depth.metres", "made_at")
    UNIQUE: ClassVar[tuple[tuple[str, ...], ...]] = (("group", "label"), ("serial",))

    group: str = "one"
    label: str | None = None
    rank: int | None = None
    weight: float = 0.0
    hidden: bool = False
    depth: Depth = Depth()
    made_at: Instant = NOON
    serial: str | None = None
    text: str = ""


def a_thing(**changes: object) -> Thing:
    return Thing.model_validate({"id": new_id(), **changes})


async def everything(
    things: Documents[Thing], query: Query = EVERYTHING, *, order: str = "id", limit: int = 3
) -> list[Thing]:
    found: list[Thing] = []
    cursor: str | None = None
    while True:
        page = await things.list(query, order=order, limit=limit, cursor=cursor)
        found += page.items
        if page.next is None:
            return found
        cursor = page.next


def expected(things: list[Thing], order: str) -> list[Thing]:
    """Nulls come before all values, ties in the order of ids; with ``-`` all of it backwards."""

    def key(thing: Thing) -> tuple[bool, object, str]:
        value: object = thing
        for name in order.removeprefix("-").split("."):
            value = getattr(value, name)
        return (value is not None, 0 if value is None else value, thing.id)

    return sorted(things, key=key, reverse=order.startswith("-"))
