"""Pages: a bounded part of a list, and where it goes on."""

from typing import Generic, TypeVar

from pydantic import ConfigDict

from schemas.schema import Schema

T = TypeVar("T")


class Page(Schema, Generic[T]):
    """Some items and, unless they are the last, the cursor of the next page."""

    # No field has a docstring, and each kind of page would have the source read again for them.
    model_config = ConfigDict(use_attribute_docstrings=False)

    items: tuple[T, ...]
    next: str | None = None
