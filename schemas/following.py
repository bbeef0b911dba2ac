"""Following the event log: how far each of those who act on events has come."""

from typing import ClassVar

from pydantic import NonNegativeInt

from schemas.schema import Document


class Bookmark(Document):
    """The last position of the event log that was acted on; the id says by whom."""

    KIND: ClassVar[str] = "bookmark"

    position: NonNegativeInt = 0
