"""Dead letters: messages that nobody here could read, kept for people to look at and to send again."""

from datetime import datetime
from typing import ClassVar, Final, NamedTuple, Self

from pydantic import NonNegativeInt, PositiveInt

from schemas.blobs import BlobRef
from schemas.schema import Document, Id, Instant, derived_id

PREVIEW_BYTES: Final = 1024


class ForeignMessage(NamedTuple):
    """A message as it was sent to the bus; what is not known of it is empty."""

    exchange: str
    routing_key: str
    body: bytes
    content_type: str = ""
    headers: str = "{}"
    """A JSON object, without what the broker adds; of many or long ones only the first."""
    headers_left_out: int = 0
    queue: str = ""
    """From where it became a dead letter, and why."""
    reason: str = ""


class DeadLetter(Document):
    """A message that nobody here could read; the same one, sent to the same place again, is the same letter."""

    KIND: ClassVar[str] = "dead_letter"
    INDEXED: ClassVar[tuple[str, ...]] = ("came_at",)

    id: Id
    exchange: str
    """Where it was sent first, with the routing key: a replay goes there."""
    routing_key: str
    queue: str
    """From where it became a dead letter, and why."""
    reason: str
    content_type: str
    headers: str
    """A JSON object; of many or long headers only the first, which alone are sent again."""
    headers_left_out: NonNegativeInt = 0
    body: BlobRef
    preview: str
    """The beginning of the body, read as UTF-8."""
    first_came_at: Instant
    came_at: Instant
    """When it came last: one that comes back after its replay is newer than that."""
    times: PositiveInt = 1
    """How often it came; one that came while a worker died may count twice."""
    replayed_at: Instant | None = None
    replays: NonNegativeInt = 0

    @classmethod
    def of(cls, message: ForeignMessage, *, body: BlobRef, at: datetime) -> Self:
        """Return the letter that a message is when it comes for the first time."""
        return cls(
            id=derived_id("dead letter", message.exchange, message.routing_key, body.digest),
            exchange=message.exchange,
            routing_key=message.routing_key,
            queue=message.queue,
            reason=message.reason,
            content_type=message.content_type,
            headers=message.headers,
            headers_left_out=message.headers_left_out,
            body=body,
            preview=message.body[:PREVIEW_BYTES].decode(errors="replace"),
            first_came_at=at,
            came_at=at,
        )

    def came_again(self, *, at: datetime) -> Self:
        """Return this letter as one that came once more."""
        return self.successor(times=self.times + 1, came_at=max(at, self.came_at))

    def replayed(self, *, at: datetime) -> Self:
        """Return this letter as one that was sent again."""
        return self.successor(replays=self.replays + 1, replayed_at=at)

    def message(self, body: bytes) -> ForeignMessage:
        """Return what to send again: the body, and what is kept of the headers."""
        return ForeignMessage(self.exchange, self.routing_key, body, self.content_type, self.headers)
