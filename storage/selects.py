"""Queries on stored documents as SQL: conditions, order, and what comes after a cursor."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import orjson

from schemas.errors import Invalid
from schemas.schema import Document
from storage.cursors import Cursor
from storage.ports import Query, Scalar

LAST_CHARACTER = "\U0010ffff"


class Condition(NamedTuple):
    """A condition in SQL and what its question marks stand for."""

    text: str
    values: tuple[Scalar, ...] = ()


class Order(NamedTuple):
    """What a list is sorted by: a field, ties by id; both descending or neither."""

    field: str
    descending: bool

    def sql(self) -> str:
        """Return what comes after ``ORDER BY``."""
        direction = "DESC" if self.descending else "ASC"
        fields = dict.fromkeys((expression(self.field), "id"))
        return ", ".join(f"{field} {direction}" for field in fields)


def expression(field: str) -> str:
    """Return a field, a dotted path, as the expression that is indexed."""
    return "id" if field == "id" else f"json_extract(body, '$.{field}')"


def order_by(kind: type[Document], order: str) -> Order:
    """Return an order such as ``-created_at``; raise Invalid for a field that is not indexed."""
    field = order.removeprefix("-")
    check_field(kind, field)
    return Order(field, descending=order.startswith("-"))


def where(kind: type[Document], query: Query, order: Order | None = None) -> Condition:
    """Return the condition of a query; raise Invalid for a field that is not indexed.

    A list that is sorted by a field of which the query asks a range is a walk along that range: what else it
    asks is compared on the way.
    """
    for field in (*query.equal, *query.at_least, *query.below, *query.prefix):
        check_field(kind, field)
    is_walk = order is not None and (order.field in query.at_least or order.field in query.below)
    parts = [
        *(_equal(expression(field), value, is_walk=is_walk) for field, value in query.equal.items()),
        *(Condition(f"{expression(field)} >= ?", (value,)) for field, value in query.at_least.items()),
        *(Condition(f"{expression(field)} < ?", (value,)) for field, value in query.below.items()),
        *(_prefix(expression(field), text) for field, text in query.prefix.items()),
    ]
    return every(parts)


def every(parts: Sequence[Condition]) -> Condition:
    """Return the condition that all parts hold."""
    text = " AND ".join(f"({part.text})" for part in parts) or "1"
    return Condition(text, tuple(value for part in parts for value in part.values))


def after(cursor: Cursor | None, order: Order) -> Iterator[Condition]:
    """Yield, in order, the ranges that hold what comes after a cursor: nulls come before all values.

    Two ranges rather than one with OR: each is one walk along an index.
    """
    field, sign = expression(order.field), "<" if order.descending else ">"
    if cursor is None:
        yield Condition("1")
    elif order.field == "id":
        yield Condition(f"id {sign} ?", (cursor.id,))
    elif cursor.value is None:
        yield Condition(f"{field} IS NULL AND id {sign} ?", (cursor.id,))
        if not order.descending:
            yield Condition(f"{field} IS NOT NULL")
    else:
        further = f"{field} {sign}= ? AND ({field} {sign} ? OR id {sign} ?)"
        yield Condition(further, (cursor.value, cursor.value, cursor.id))
        if order.descending:
            yield Condition(f"{field} IS NULL")


def index_for(kind: type[Document], query: Query, order: Order) -> tuple[str, ...]:
    """Return the fields of the index that walks what a query means in its order; empty where one field is enough."""
    scope = next((field for field in kind.INDEXED if _one_value(query.equal.get(field)) is not None), None)
    return () if scope is None or order.field in {scope, "id"} else (scope, order.field)


def check_field(kind: type[Document], field: str) -> None:
    """Raise Invalid for a field of a kind that is not indexed."""
    if field != "id" and field not in kind.INDEXED:
        known = ", ".join(("id", *kind.INDEXED))
        raise Invalid(f"A {kind.KIND} cannot be asked for or sorted by {field!r}.", step=f"use one of: {known}")


def successor(prefix: str) -> str | None:
    """Return the least text that comes after all texts with a prefix, None if there is none."""
    stem = prefix.rstrip(LAST_CHARACTER)
    if not stem:
        return None
    # The code points that come next are those of surrogates, which no text has.
    following = 0xE000 if stem[-1] == "\ud7ff" else ord(stem[-1]) + 1
    return stem[:-1] + chr(following)


def _equal(field: str, value: Scalar | Sequence[Scalar], *, is_walk: bool) -> Condition:
    if value is None:
        return Condition(f"{field} IS NULL")
    if isinstance(value, str | int | float):
        return Condition(f"{field} = ?", (value,))
    if len(value) == 1:
        return _equal(field, value[0], is_walk=is_walk)
    # One parameter, however long the list: SQLite allows a limited number of them. With a plus it keeps to the walk.
    plus = "+" if is_walk else ""
    among = f"{plus}{field} IN (SELECT value FROM json_each(?))"  # noqa: S608 - the field is a constant of a schema
    if None in value:
        among = f"{among} OR {field} IS NULL"
    return Condition(among, (orjson.dumps([one for one in value if one is not None]).decode(),))


def _one_value(value: Scalar | Sequence[Scalar]) -> str | float | None:
    """Return what a field must equal, if it is one value and not null."""
    if value is None or isinstance(value, str | int | float):
        return value
    return _one_value(value[0]) if len(value) == 1 else None


def _prefix(field: str, text: str) -> Condition:
    upper = successor(text)
    if upper is None:
        return Condition(f"{field} >= ?", (text,))
    return Condition(f"{field} >= ? AND {field} < ?", (text, upper))
