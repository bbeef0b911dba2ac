"""Queries on stored documents as MongoDB's filters, and what comes after a cursor."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING

from schemas.schema import Document
from storage.cursors import Cursor
from storage.mongo_forms import stored_name
from storage.ports import Query, Scalar
from storage.selects import Order, check_field, successor

Filter = Mapping[str, Any]

# The code of the error ConversionFailure.
MISMATCH: Final = 241


def where(kind: type[Document], query: Query) -> Filter:
    """Return the filter of a query; raise Invalid for a field that is not indexed."""
    for field in (*query.equal, *query.at_least, *query.below, *query.prefix):
        check_field(kind, field)
    return every(
        [
            *({stored_name(field): _equal(value)} for field, value in query.equal.items()),
            *({stored_name(field): {"$gte": value}} for field, value in query.at_least.items()),
            *({stored_name(field): {"$lt": value}} for field, value in query.below.items()),
            *({stored_name(field): _prefix(text)} for field, text in query.prefix.items()),
        ]
    )


def every(parts: Sequence[Filter]) -> Filter:
    """Return the filter that all parts hold."""
    meant = [part for part in parts if part]
    if len(meant) == 1:
        return meant[0]
    return {"$and": meant} if meant else {}


def after(cursor: Cursor | None, order: Order) -> Iterator[Filter]:
    """Yield, in order, the ranges that hold what comes after a cursor: nulls come before all values.

    Ranges rather than one filter with ``$or``: each is one walk along an index.
    """
    field, sign = stored_name(order.field), "$lt" if order.descending else "$gt"
    if cursor is None:
        yield {}
    elif order.field == "id":
        yield {"_id": {sign: cursor.id}}
    else:
        yield {field: cursor.value, "_id": {sign: cursor.id}}
        if cursor.value is not None:
            yield {field: {sign: cursor.value}}
            if order.descending:
                yield {field: None}
        elif not order.descending:
            yield {field: {"$ne": None}}


def at_generation(identity: str, generation: int) -> Filter:
    """Return the filter of a document at a generation; at another one the server raises MISMATCH.

    Of those in a bulk that merely do not match, the server would tell the number, but not which they are.
    """
    wrong = {"$toInt": {"$concat": ["generation ", {"$toString": "$generation"}]}}
    return {"_id": identity, "$expr": {"$or": [{"$eq": ["$generation", generation]}, wrong]}}


def sorting(order: Order) -> list[tuple[str, int]]:
    """Return an order as what a list is sorted by."""
    direction = DESCENDING if order.descending else ASCENDING
    return [(name, direction) for name in dict.fromkeys((stored_name(order.field), "_id"))]


def _equal(value: Scalar | Sequence[Scalar]) -> Any:  # noqa: ANN401 - a scalar or an operator
    if value is None or isinstance(value, str | int | float):
        return value
    return {"$in": list(value)}


def _prefix(text: str) -> Filter:
    upper = successor(text)
    # An upper bound of no text: only texts are compared with texts.
    return {"$gte": text} if upper is None else {"$gte": text, "$lt": upper}
