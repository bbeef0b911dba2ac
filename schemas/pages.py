"""Pages: a bounded part of a list, and where it goes on."""

from typing import Generic, TypeVar

from schemas.schema import Schema

T = TypeVar("T")


class Page(Schema, Generic[T]):
    """Some items and, unless they are the last, the cursor of the next page."""

    items: tuple[T, ...]
    next: str | None = None
